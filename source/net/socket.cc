#include "source/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace sluice::net {
namespace {

absl::Status errnoStatus(int error, std::string_view what, const Address& address) {
  const std::string text = absl::StrCat(std::string(what), " ", address.toString(), ": ", strerror(error));
  switch (error) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(absl::StrCat("address in use: ", text));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(absl::StrCat(text, " (no interface of this machine has it)"));
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// linux/in.h, which does not go together with netinet/in.h everywhere.
constexpr int kMptcp = 262;

absl::StatusOr<Fd> makeSocket(const Address& address, int type = SOCK_STREAM, int protocol = 0) {
  Fd fd(socket(address.socketFamily(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.valid() && protocol == kMptcp && errno != EMFILE && errno != ENFILE) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address.toString(),
                                               " with enable_mptcp: the kernel has no Multipath TCP here (",
                                               strerror(errno), "); set the sysctl net.mptcp.enabled, or remove it"));
  }
  if (!fd.valid()) return errnoStatus(errno, "socket for", address);
  return fd;
}

absl::StatusOr<Fd> makeSocket(const Address& address, const ListenOptions& options) {
  absl::StatusOr<Fd> fd = makeSocket(address, options.datagram ? SOCK_DGRAM : SOCK_STREAM, options.mptcp ? kMptcp : 0);
  if (!fd.ok() || !address.isIp()) return fd;
  const int on = 1;
  // With it, anyone could bind the address of a UDP socket.
  if (!options.datagram) setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.family() == Address::Family::kIpv6) setsockopt(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  return fd;
}

absl::Status applyOptions(int fd, const Address& address, const std::vector<SocketOption>& options,
                          SocketOption::When when) {
  for (const SocketOption& option : options) {
    if (option.when != when || (option.only != Address::Family::kNone && option.only != address.family())) continue;
    const auto size = static_cast<socklen_t>(option.value.size());
    if (setsockopt(fd, option.level, option.name, option.value.data(), size) == 0) continue;
    const std::string what =
        absl::StrCat("cannot set socket option ", option.level, "/", option.name, " (", option.description, ") of");
    const int error = errno;
    if (error == EPERM || error == EACCES) return errnoStatus(error, what, address);
    return absl::InvalidArgumentError(absl::StrCat(what, " ", address.toString(), ": ", strerror(error)));
  }
  return absl::OkStatus();
}

bool isSocketFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

// A socket file that nobody answers is left over from a dead process.
void removeStaleSocketFile(const Address& address) {
  const std::string path = address.toString();
  if (path.empty() || path[0] == '@' || !isSocketFile(path)) return;
  Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe.valid() && connect(probe.get(), address.sockaddrPointer(), address.sockaddrLength()) != 0 &&
      errno == ECONNREFUSED) {
    unlink(path.c_str());
  }
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

SocketOption SocketOption::ofInt(int level, int name, int value, std::string description) {
  return {.level = level,
          .name = name,
          .value = std::string(reinterpret_cast<const char*>(&value), sizeof(value)),
          .description = std::move(description)};
}

namespace {

// Bound before it may receive: with a port of the kernel's choice nobody knows where to send.
bool bindsLate(const Address& address, const ListenOptions& options) {
  return options.datagram && !(address.isIp() && address.port() == 0);
}

absl::Status bindTo(int fd, const Address& address, const ListenOptions& options) {
  if (bind(fd, address.sockaddrPointer(), address.sockaddrLength()) != 0) {
    return errnoStatus(errno, "cannot bind", address);
  }
  return applyOptions(fd, address, options.options, SocketOption::When::kBeforeListen);
}

}  // namespace

absl::StatusOr<Fd> listenOn(const Address& address, const ListenOptions& options) {
  absl::StatusOr<Fd> fd = prepareListening(address, options);
  if (!fd.ok()) return fd;
  if (absl::Status begun = beginListening(fd->get(), address, options); !begun.ok()) return begun;
  return fd;
}

absl::StatusOr<Fd> prepareListening(const Address& address, const ListenOptions& options) {
  absl::StatusOr<Fd> fd = makeSocket(address, options);
  if (!fd.ok()) return fd;
  const int on = 1;
  if (address.isIp()) {
    if (options.reuse_port) setsockopt(fd->get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  } else {
    removeStaleSocketFile(address);
  }
  if (absl::Status set = applyOptions(fd->get(), address, options.options, SocketOption::When::kBeforeBind);
      !set.ok()) {
    return set;
  }
  if (bindsLate(address, options)) return fd;
  if (absl::Status bound = bindTo(fd->get(), address, options); !bound.ok()) return bound;
  if (address.isUnix() && options.unix_mode != 0) chmod(address.toString().c_str(), options.unix_mode);
  return fd;
}

absl::Status beginListening(int fd, const Address& address, const ListenOptions& options) {
  if (bindsLate(address, options) && localAddress(fd).port() == 0) {
    if (absl::Status bound = bindTo(fd, address, options); !bound.ok()) return bound;
  }
  if (!options.datagram && listen(fd, options.backlog) != 0) return errnoStatus(errno, "cannot listen on", address);
  return applyOptions(fd, address, options.options, SocketOption::When::kListening);
}

absl::Status probeFree(const Address& address, const ListenOptions& options) {
  if (!address.isIp() || address.port() == 0) return absl::OkStatus();
  absl::StatusOr<Fd> fd = makeSocket(address, options);
  if (!fd.ok()) return fd.status();
  // Some options decide whether an address can be bound at all.
  if (absl::Status set = applyOptions(fd->get(), address, options.options, SocketOption::When::kBeforeBind);
      !set.ok()) {
    return set;
  }
  if (bind(fd->get(), address.sockaddrPointer(), address.sockaddrLength()) != 0) {
    return errnoStatus(errno, "cannot bind", address);
  }
  return absl::OkStatus();
}

namespace {

// Binds to the source of the address's family.
absl::Status prepareConnecting(int fd, const Address& address, const ConnectOptions& options) {
  const ConnectOptions::Source* source = nullptr;
  for (const ConnectOptions::Source& each : options.sources) {
    if (each.address.family() == address.family()) source = &each;
  }
  const std::vector<SocketOption>& sockopts = source != nullptr ? source->options : options.options;
  using When = SocketOption::When;
  if (absl::Status set = applyOptions(fd, address, sockopts, When::kBeforeBind); !set.ok()) return set;
  if (source != nullptr) {
    // The kernel chooses the port when it knows where the connection goes: each host has all ports.
    const int late = 1;
    if (source->address.port() == 0) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof(late));
    if (bind(fd, source->address.sockaddrPointer(), source->address.sockaddrLength()) != 0) {
      return errnoStatus(errno, "cannot bind the source address", source->address);
    }
  } else if (!options.sources.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot connect to ", address.toString(),
                                                   ": upstream_bind_config has no source address of its family"));
  }
  return applyOptions(fd, address, sockopts, When::kBeforeListen);
}

// Addresses of this machine need no privilege; the kernel says what does.
absl::Status borrowSource(int fd, const Address& address, const BorrowedSource& source) {
  const auto refused = [&source](std::string_view what) {
    return absl::PermissionDeniedError(absl::StrCat("cannot connect from ", source.address.toString(), ": ",
                                                    std::string(what),
                                                    " needs the capability CAP_NET_ADMIN, which this process has not"));
  };
  const bool v6 = source.address.family() == Address::Family::kIpv6;
  if (source.address.family() != address.family()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot connect from ", source.address.toString(), " to ",
                                                   address.toString(), ": they are of different families"));
  }
  if (source.mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &source.mark, sizeof(source.mark)) != 0) {
    return refused("a mark");
  }
  const int on = 1;
  const bool transparent =
      setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof(on)) == 0;
  if (source.address.port() == 0) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  if (bind(fd, source.address.sockaddrPointer(), source.address.sockaddrLength()) == 0) return absl::OkStatus();
  if (errno == EADDRNOTAVAIL && !transparent) return refused("the address of another machine");
  return errnoStatus(errno, "cannot connect from", source.address);
}

absl::StatusOr<Fd> connectTo(absl::StatusOr<Fd> fd, const Address& address) {
  if (connect(fd->get(), address.sockaddrPointer(), address.sockaddrLength()) != 0 && errno != EINPROGRESS) {
    return errnoStatus(errno, "cannot connect to", address);
  }
  return fd;
}

}  // namespace

absl::StatusOr<Fd> startConnect(const Address& address, const ConnectOptions& options, const BorrowedSource* borrowed) {
  if (address.isListener()) {
    return absl::InvalidArgumentError(
        absl::StrCat(address.toString(), " is an internal listener, which only traffic of workers can reach"));
  }
  absl::StatusOr<Fd> fd = makeSocket(address);
  if (!fd.ok()) return fd;
  if (address.isIp()) {
    setNoDelay(fd->get());
    using When = SocketOption::When;
    absl::Status set;
    if (!options.empty()) set = applyOptions(fd->get(), address, options.keepalive, When::kBeforeBind);
    if (borrowed != nullptr) [[unlikely]] {
      for (const When when : {When::kBeforeBind, When::kBeforeListen}) {
        if (set.ok()) set = applyOptions(fd->get(), address, options.options, when);
      }
      if (set.ok()) set = borrowSource(fd->get(), address, *borrowed);
    } else if (set.ok() && !options.empty()) {
      set = prepareConnecting(fd->get(), address, options);
    }
    if (!set.ok()) return set;
  }
  return connectTo(std::move(fd), address);
}

absl::StatusOr<Fd> connectDatagram(const Address& address, const ConnectOptions& options) {
  if (!address.isIp()) return absl::InvalidArgumentError(absl::StrCat(address.toString(), " is no UDP address"));
  absl::StatusOr<Fd> fd = makeSocket(address, SOCK_DGRAM);
  if (!fd.ok()) return fd;
  if (!options.empty()) {
    if (absl::Status set = prepareConnecting(fd->get(), address, options); !set.ok()) return set;
  }
  return connectTo(std::move(fd), address);
}

int pendingError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

void setNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Address localAddress(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  return getsockname(fd, address, &length) == 0 ? Address::fromSockaddr(address, length) : Address();
}

Address peerAddress(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  return getpeername(fd, address, &length) == 0 ? Address::fromSockaddr(address, length) : Address();
}

}  // namespace sluice::net
