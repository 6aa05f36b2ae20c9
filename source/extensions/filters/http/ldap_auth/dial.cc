#include "source/extensions/filters/http/ldap_auth/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

absl::Status failed(int error) {
  return absl::UnavailableError(std::generic_category().message(error));
}

absl::Status stopped() {
  return absl::CancelledError("stopped");
}

void setFlag(int fd, int level, int name) {
  const int on = 1;
  (void)setsockopt(fd, level, name, &on, sizeof(on));
}

// The errno of a connection in progress; 0: it is established.
int waitForConnection(int fd, event::TimePoint deadline) {
  if (!waitForSocket(fd, POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

absl::StatusOr<int> dialOne(const addrinfo& address, event::TimePoint deadline, OpenSockets& sockets) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(errno);
  if (!sockets.add(fd)) {
    close(fd);
    return stopped();
  }
  setFlag(fd, IPPROTO_TCP, TCP_NODELAY);
  setFlag(fd, SOL_SOCKET, SO_KEEPALIVE);
  int error = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) error = waitForConnection(fd, deadline);
  if (error == 0) return fd;
  hangUp(fd, sockets);
  return failed(error);
}

}  // namespace

bool waitForSocket(int fd, short events, event::TimePoint deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - event::Clock::now()).count();
    if (left <= 0) return false;
    pollfd wanted{fd, events, 0};
    const int ready = poll(&wanted, 1, static_cast<int>(std::min<int64_t>(left, 1000 * 1000)));
    if (ready > 0 || (ready < 0 && errno != EINTR)) return true;
  }
}

bool OpenSockets::add(int fd) {
  const std::lock_guard lock(mutex_);
  if (!stopped_) fds_.insert(fd);
  return !stopped_;
}

void OpenSockets::remove(int fd) {
  const std::lock_guard lock(mutex_);
  fds_.erase(fd);
}

void OpenSockets::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (const int fd : fds_) (void)shutdown(fd, SHUT_RDWR);
}

bool OpenSockets::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

absl::StatusOr<int> dial(const std::string& host, uint16_t port, event::TimePoint deadline, OpenSockets& sockets) {
  if (sockets.stopped()) return stopped();  // names take their time
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(absl::StrCat("its address is not found: ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  int left = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) ++left;
  absl::Status last = absl::UnavailableError("its name has no address");
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next, --left) {
    const event::TimePoint now = event::Clock::now();
    if (now >= deadline) return failed(ETIMEDOUT);
    absl::StatusOr<int> fd = dialOne(*each, now + (deadline - now) / left, sockets);
    if (fd.ok() || absl::IsCancelled(fd.status())) return fd;
    last = fd.status();
  }
  return last;
}

void hangUp(int fd, OpenSockets& sockets) {
  sockets.remove(fd);
  close(fd);
}

}  // namespace sluice::extensions::http_filters::ldap_auth
