// The way to the internal listeners of a worker, for whoever connects to hosts there.
#pragma once

#include "absl/status/statusor.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace sluice::net {

class InternalListeners {
 public:
  virtual ~InternalListeners() = default;
  // One end of a connection to the listener of that name on this worker, which has the other end before the next turn
  // of the loop. NotFound without such a listener; Unavailable at its limit of connections; ResourceExhausted without
  // descriptors. Thread: the worker's.
  virtual absl::StatusOr<Fd> connectTo(const Address& address) = 0;
};

}  // namespace sluice::net
