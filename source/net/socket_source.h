// Where listening sockets come from.
//
// Listeners and the admin endpoint do not open sockets: they take them from a source, so that a process may be given
// those of another one that it replaces, or of a service manager that holds its addresses. Thread: main.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "source/net/socket.h"

namespace sluice::net {

// A socket that is wanted.
struct SocketRequest {
  Address address;
  // Whose it will be, counted from 0; the admin's is 0. Only one is asked for where the workers share it: Unix sockets,
  // and addresses without `options.reuse_port`.
  size_t worker = 0;
  ListenOptions options = {};
  // The address is in use by sockets of this process that are about to be closed: what goes and what comes share it.
  bool shares_with_ours = false;
};

struct TakenSocket {
  Fd fd;
  // Clients can connect to it, or datagrams arrive, already; else the taker begins that when it is ready for them
  // (beginListening).
  bool listening = false;
};

class SocketSource {
 public:
  virtual ~SocketSource() = default;
  // A non-blocking socket, bound to the address (UDP: perhaps later, see prepareListening). Errors as of listenOn; of
  // those that begin with a port of 0 the kernel chose one, the same for each worker by way of the request.
  virtual absl::StatusOr<TakenSocket> take(const SocketRequest& request) = 0;
};

// Opens them. An address that another process listens on is AlreadyExists.
class OpenedSockets : public SocketSource {
 public:
  absl::StatusOr<TakenSocket> take(const SocketRequest& request) override;
};

}  // namespace sluice::net
