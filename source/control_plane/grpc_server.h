// The gRPC transport of what the control plane serves, over TCP and Unix sockets: any method, as far as somebody serves
// it.
//
// gRPC's threads only post: all logic, all reads, writes and ends of calls happen on the loop's thread. One message is
// read at a time, so a client that sends faster than it is answered waits in its own socket.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/control_plane/served_stream.h"
#include "source/event/loop.h"
#include "source/net/address.h"
#include "source/net/transport.h"
#include "source/observability/log.h"

namespace sluice::control_plane {

class GrpcServer {
 public:
  // A call of a method ("/package.Service/Method") from an address. Null: there is no such method.
  using Open = std::function<std::unique_ptr<ServedStream>(std::string_view method, const std::string& address,
                                                           MessageWriter& writer)>;

  // Binds `address` (port 0 lets the kernel choose) and serves; `security`: the TLS of each connection, null for plain
  // ones. All that is given here outlives the server.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> start(const net::Address& address,
                                                           const net::TransportFactory* security, event::Loop& loop,
                                                           Open open, observability::Logger& logger);
  virtual ~GrpcServer() = default;

  // The address with the port that was bound.
  virtual const std::string& boundAddress() const = 0;
  // Ends all calls and takes no more; `done` runs on the loop when the last one is gone. The loop has to go on until
  // then, and the server is destroyed after that only.
  virtual void shutDown(std::function<void()> done) = 0;
};

}  // namespace sluice::control_plane
