// Listeners as protos -> what a worker's listener serves with.
//
// Thread: main. Run after validate(). Everything wrong is reported to `context`, by field path. Opens no socket.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/services.h"
#include "source/listener/listener.h"
#include "source/net/address.h"

namespace sluice::config {

struct CompiledListener {
  std::string name;
  bool api = false;                     // an API listener: for gRPC clients, opens nothing
  std::vector<net::Address> addresses;  // as configured: port 0 is not resolved yet
  bool bind = true;
  bool internal = false;
  int backlog = 0;
  bool mptcp = false;
  bool reuse_port = true;  // a socket for each worker
  std::vector<net::SocketOption> socket_options;
  std::vector<std::pair<net::Address, int>> unix_modes;  // permission bits of Unix sockets
  uint64_t socket_hash = 0;                              // of all that sockets are made with
  std::string stat_name;                                 // stat_prefix, or the address with ':' as '_'
  uint64_t content_hash = 0;                             // of the whole listener
  bool drain_on_health_fail = true;                      // (proto: drain_type DEFAULT)
  // As in listener::ListenerConfig.
  std::vector<listener::FilterChain> chains;
  std::shared_ptr<const listener::ChainIndex> index;
  std::shared_ptr<const match::Matcher> matcher;
  std::optional<size_t> default_chain;
  std::shared_ptr<const filter::ChainGuard> guard;
  listener::InstalledFilters filters;
  std::chrono::milliseconds filters_timeout{15'000};
  bool continue_on_filters_timeout = false;
  bool use_original_dst = false;
  bool transparent = false;
  int accept_batch = 64;
  bool exact_balance = false;
  bool ignore_global_conn_limit = false;
  uint32_t buffer_limit = 1024 * 1024;
  listener::UdpSettings udp;
  std::shared_ptr<const void> held;        // stats and clusters of what is not a chain's
  std::vector<route::ClusterId> clusters;  // that it names, tables by RDS apart; ascending

  bool isUdp() const { return udp.filter != nullptr; }
};

// `init`: as in FactoryContext.
std::optional<CompiledListener> compileListener(const envoy::config::listener::v3::Listener& listener,
                                                const Context& context, Services& services,
                                                InitTargets* init = nullptr);

// What CompiledListener::content_hash will be, without compiling.
uint64_t listenerContentHash(const envoy::config::listener::v3::Listener& listener);

}  // namespace sluice::config
