// An upstream host under the test's control: accepts when asked, answers what it is told. For tests with PolledLoop.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/socket.h"

namespace sluice::upstream::pool {

// The host's end of one connection. Never blocks.
class TestPeer {
 public:
  explicit TestPeer(net::Fd fd) : fd_(std::move(fd)) {}
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
      if (n == 0 || errno != EAGAIN) closed = true;
      break;
    }
    return out;
  }
  void finish() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = net::Fd(); }

  bool closed = false;  // take() saw the end
  size_t sent = 0;

 private:
  net::Fd fd_;
};

class TestUpstream {
 public:
  TestUpstream() {
    static int count = 0;
    address = *net::Address::fromUnixPath("@sluice-test-" + std::to_string(std::random_device()()) + "-" +
                                          std::to_string(++count));
    listen();
  }
  // Takes what waits to be accepted; returns how many connections there were so far.
  size_t accept() {
    for (;;) {
      net::Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd.valid()) return peers.size();
      peers.push_back(std::make_unique<TestPeer>(std::move(fd)));
    }
  }
  TestPeer& peer(size_t index) {
    accept();
    return *peers.at(index);
  }
  // Refuses connections from now on.
  void stop() { fd_ = net::Fd(); }
  void listen() { fd_ = *net::listenOn(address, {}); }

  net::Address address;
  std::vector<std::unique_ptr<TestPeer>> peers;

 private:
  net::Fd fd_;
};

// A TCP address at which connecting goes on for ever: its queue is full.
class SilentHost {
 public:
  SilentHost() {
    fd_ = *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {.backlog = 0});
    address = net::localAddress(fd_.get());
    for (int i = 0; i < 8; ++i) {
      net::Fd fd = *net::startConnect(address);
      pollfd wait{fd.get(), POLLOUT, 0};
      const bool connected = poll(&wait, 1, 50) == 1;
      fillers_.push_back(std::move(fd));
      if (!connected) return;
    }
  }
  net::Address address;

 private:
  net::Fd fd_;
  std::vector<net::Fd> fillers_;
};

}  // namespace sluice::upstream::pool
