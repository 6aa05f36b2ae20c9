// Listeners as protos -> what a worker's listener serves with.
//
// Thread: main. Run after validate(). Everything wrong is reported to `context`, by field path. Opens no socket.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/extensions.h"
#include "source/filter/network.h"
#include "source/net/address.h"

namespace sluice::config {

struct CompiledListener {
  std::string name;
  bool api = false;                     // an API listener: for gRPC clients, opens nothing
  std::vector<net::Address> addresses;  // as configured: port 0 is not resolved yet
  int backlog = 0;
  std::string stat_name;  // stat_prefix, or the address with ':' as '_'
  std::string chain_name;
  uint64_t chain_hash = 0;           // of the filter chain alone
  uint64_t content_hash = 0;         // of the whole listener
  bool drain_on_health_fail = true;  // (proto: drain_type DEFAULT)
  std::shared_ptr<const filter::TerminalNetworkFilter> terminal;
};

std::optional<CompiledListener> compileListener(const envoy::config::listener::v3::Listener& listener,
                                                const Context& context, Services& services);

// What CompiledListener::content_hash will be, without compiling.
uint64_t listenerContentHash(const envoy::config::listener::v3::Listener& listener);

}  // namespace sluice::config
