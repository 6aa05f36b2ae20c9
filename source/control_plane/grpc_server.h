// The discovery server's gRPC transport: every discovery method in both variants, over TCP and Unix sockets.
//
// gRPC's threads only post: all logic, all reads, writes and ends of calls happen on the loop's thread. One message is
// read at a time, so a client that sends faster than it is answered waits in its own socket.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/control_plane/discovery_server.h"
#include "source/event/loop.h"

namespace sluice::control_plane {

class GrpcServer {
 public:
  // Binds `address` ("HOST:PORT", "[V6]:PORT", "unix:PATH"; port 0 lets the kernel choose) and serves. Loop and
  // discovery outlive the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> start(const std::string& address, event::Loop& loop,
                                                           DiscoveryServer& discovery);
  virtual ~GrpcServer() = default;

  // The address with the port that was bound.
  virtual const std::string& boundAddress() const = 0;
  // Ends all calls and takes no more; `done` runs on the loop when the last one is gone. The loop has to go on until
  // then, and the server is destroyed after that only.
  virtual void shutDown(std::function<void()> done) = 0;
};

}  // namespace sluice::control_plane
