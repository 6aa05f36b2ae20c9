// An upstream host under the test's control: accepts when asked, answers what it is told. For tests with PolledLoop.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "source/net/test_socket.h"

namespace sluice::upstream::pool {

using TestPeer = net::TestSocket;
using net::SilentHost;

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

}  // namespace sluice::upstream::pool
