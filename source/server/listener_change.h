// What becomes of a listener's sockets and connections when another configuration takes its place: what the listener
// manager and the workers go by, and what tools foretell. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "source/config/listener_compiler.h"
#include "source/net/address.h"

namespace sluice::server {

enum class SocketFate : uint8_t {
  kKept,       // the sockets go on
  kOpened,     // there were none
  kExchanged,  // they are made otherwise: others take their place
  kRefused,    // the same, but two cannot be bound at once: the change is refused
};

// Of an address of `next`, which binds. `before`: null: the listener is new.
SocketFate socketFate(const config::CompiledListener* before, const config::CompiledListener& next,
                      const net::Address& address);

struct ListenerChange {
  bool same = false;                                         // the update is skipped
  std::vector<std::pair<net::Address, SocketFate>> sockets;  // of the next one
  std::vector<net::Address> closed;                          // sockets that only the one before has
  std::vector<size_t> drained;                               // chains of the one before
  bool sessions_drain = false;                               // of UDP
  bool refused = false;                                      // the one before goes on

  bool closesConnections() const { return !refused && (!drained.empty() || sessions_drain); }
};

ListenerChange compareListeners(const config::CompiledListener& before, const config::CompiledListener& next);

}  // namespace sluice::server
