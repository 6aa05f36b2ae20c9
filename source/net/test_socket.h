// The other end of a connection that the code under test holds, in the test's hands: plain bytes, and it never blocks.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/net/socket.h"

namespace sluice::net {

class TestSocket {
 public:
  explicit TestSocket(Fd fd) : fd_(std::move(fd)) {}
  // What does not fit is dropped; `sent` tells.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n <= 0) return;
      bytes.remove_prefix(n);
      sent += n;
    }
  }
  // Everything that came since, at most `limit` bytes.
  std::string take(size_t limit = SIZE_MAX) {
    std::string out;
    char buffer[16384];
    while (out.size() < limit) {
      const ssize_t n = recv(fd_.get(), buffer, std::min(sizeof(buffer), limit - out.size()), MSG_DONTWAIT);
      if (n > 0) {
        out.append(buffer, n);
        continue;
      }
      if (n == 0) ended = true;
      if (n < 0 && errno != EAGAIN) broken = true;
      closed = ended || broken;
      break;
    }
    return out;
  }
  bool isClosed() {
    take();
    return closed;
  }
  void finish() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = Fd(); }
  // Of TCP: what is under way is dropped, and the other side sees RST.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }

  // What take() saw: a proper end, a reset, either.
  bool ended = false, broken = false, closed = false;
  size_t sent = 0;

 private:
  Fd fd_;
};

// Two ends of a connection: of the code under test, and of the test.
struct SocketPair {
  Fd ours, peers;
};

inline SocketPair unixPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) abort();
  return {Fd(fds[0]), Fd(fds[1])};
}

// Of TCP, which knows resets.
inline SocketPair tcpPair() {
  const Fd listener = *listenOn(*Address::parse("127.0.0.1:0"), {});
  Fd client = *startConnect(localAddress(listener.get()));
  pollfd ready{listener.get(), POLLIN, 0};
  if (poll(&ready, 1, 5000) != 1) abort();
  return {Fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)), std::move(client)};
}

// A TCP address at which connecting goes on for ever: its queue is full.
class SilentHost {
 public:
  SilentHost() {
    fd_ = *listenOn(*Address::fromIp("127.0.0.1", 0), {.backlog = 0});
    address = localAddress(fd_.get());
    for (int i = 0; i < 8; ++i) {
      Fd fd = *startConnect(address);
      pollfd wait{fd.get(), POLLOUT, 0};
      const bool connected = poll(&wait, 1, 50) == 1;
      fillers_.push_back(std::move(fd));
      if (!connected) return;
    }
  }
  Address address;

 private:
  Fd fd_;
  std::vector<Fd> fillers_;
};

}  // namespace sluice::net
