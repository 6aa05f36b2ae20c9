// The way to the internal listeners of a worker, for whoever connects to hosts there.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace sluice::stream {
struct ConnectionState;
}

namespace sluice::net {

class InternalListeners {
 public:
  virtual ~InternalListeners() = default;
  // One end of a connection to the listener of that name on this worker, which has the other end before the next turn
  // of the loop, and with it what is handed over (TransportFactory::handedOver; null: nothing). NotFound without such a
  // listener; Unavailable at its limit of connections; ResourceExhausted without descriptors; FailedPrecondition if the
  // connection that it is made for came through kMostHops of them already, `hops` says how many. Thread: the worker's.
  virtual absl::StatusOr<Fd> connectTo(const Address& address, uint8_t hops = 0,
                                       std::shared_ptr<stream::ConnectionState> handed_over = nullptr) = 0;

  // One that leads to itself would go on until there is no memory.
  static constexpr uint8_t kMostHops = 16;
};

}  // namespace sluice::net
