// Socket descriptors and the calls on them, with errors as Status. Non-blocking and close-on-exec throughout.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/net/address.h"

namespace sluice::net {

// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// A setsockopt() of the configuration.
struct SocketOption {
  enum class When : uint8_t { kBeforeBind, kBeforeListen, kListening };
  int level = 0;
  int name = 0;
  std::string value;  // its bytes
  When when = When::kBeforeBind;
  Address::Family only = Address::Family::kNone;  // for sockets of this family; kNone: all
  std::string description;                        // what it is for, in errors

  static SocketOption ofInt(int level, int name, int value, std::string description);
};

struct ListenOptions {
  bool datagram = false;  // UDP: bound, there is no accepting
  int backlog = 4096;
  bool mptcp = false;       // Multipath TCP; Unavailable where the kernel has none
  bool reuse_port = false;  // one socket for each worker; the kernel spreads connections
  int unix_mode = 0;        // permission bits of a Unix socket's file; 0: as the umask gives
  std::vector<SocketOption> options = {};
};

// A listening socket: both of the steps below. A stale Unix socket file (nobody listens there) is replaced. Errors:
// AlreadyExists for an address in use, PermissionDenied, InvalidArgument (address not on this machine, or an option
// that the kernel refuses).
absl::StatusOr<Fd> listenOn(const Address& address, const ListenOptions& options);
// The first step: the address is taken, and nobody can connect to it. A UDP socket would receive as soon as it is
// bound, so it is bound by the second step, unless the kernel chooses the port. Errors as listenOn.
absl::StatusOr<Fd> prepareListening(const Address& address, const ListenOptions& options);
// The second one; `address` is the one that was prepared, with its port.
absl::Status beginListening(int fd, const Address& address, const ListenOptions& options);

// Fails like listenOn without SO_REUSEPORT would, and leaves nothing behind: tells an address that another process
// holds, which SO_REUSEPORT hides.
absl::Status probeFree(const Address& address, const ListenOptions& options = {});

// What sockets are made with that connect. Unix sockets have no use for it. (proto: BindConfig,
// UpstreamConnectionOptions)
struct ConnectOptions {
  struct Source {
    Address address;
    std::vector<SocketOption> options = {};  // none of kListening
  };
  std::vector<Source> sources = {};          // of different families; none: the kernel chooses
  std::vector<SocketOption> options = {};    // of sockets without one of the sources
  std::vector<SocketOption> keepalive = {};  // TCP

  bool empty() const { return sources.empty() && options.empty() && keepalive.empty(); }
};

// An address of somebody else, from which a connection comes. (Envoy: original_src)
struct BorrowedSource {
  Address address;    // port 0: the kernel chooses one
  uint32_t mark = 0;  // SO_MARK, by which routing brings the answers back; 0: none

  friend bool operator==(const BorrowedSource&, const BorrowedSource&) = default;
};

// A socket whose connection attempt has begun; it becomes writable when that has ended. Errors besides those of
// connecting: InvalidArgument (none of the sources is of the family, or is not of this machine, or an option that the
// kernel refuses), AlreadyExists for a source's port in use. `borrowed`: the source instead of one of `options`, whose
// socket options count all the same; null: none. PermissionDenied where the process may not use it.
absl::StatusOr<Fd> startConnect(const Address& address, const ConnectOptions& options = {},
                                const BorrowedSource* borrowed = nullptr);

// A UDP socket whose only peer is `address`. InvalidArgument for a Unix socket; else as startConnect.
absl::StatusOr<Fd> connectDatagram(const Address& address, const ConnectOptions& options = {});

// The pending error of a socket (SO_ERROR), 0 for none.
int pendingError(int fd);
void setNoDelay(int fd);

Address localAddress(int fd);
Address peerAddress(int fd);

}  // namespace sluice::net
