// A worker for tests of network filters: virtual time, and clients over socket pairs.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/filter/connection_gate.h"

namespace sluice::filter {

// The client's end. Never blocks.
class NetworkClient {
 public:
  explicit NetworkClient(net::Fd fd) : fd_(std::move(fd)) {}
  void send(std::string_view bytes) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent += n;
  }
  // What came since.
  std::string take() {
    std::string out;
    char buffer[16384];
    ssize_t n;
    while ((n = recv(fd_.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) out.append(buffer, n);
    if (n == 0 || errno != EAGAIN) closed = true;
    return out;
  }
  void finish() { shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_ = net::Fd(); }
  bool isClosed() {
    take();
    return closed;
  }

  bool closed = false;  // take() saw the end
  size_t sent = 0;

 private:
  net::Fd fd_;
};

struct TestNetwork {
  ~TestNetwork() {
    while (!list.empty()) list.front().closeNow("test_end");
    loop.turn();
  }
  // A connection to `terminal` behind `filters`.
  NetworkClient& connect(const TerminalNetworkFilter& terminal, const ConnectionFilters& filters = {}) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) abort();
    Accepted accepted;
    accepted.fd = net::Fd(fds[0]);
    accepted.remote = accepted.direct_remote = *net::Address::parse("10.1.2.3:4567");
    accepted.local = accepted.direct_local = *net::Address::parse("10.0.0.1:80");
    if (!filters.empty()) accepted.filters = std::make_shared<const ConnectionFilters>(filters);
    terminal.serve(std::move(accepted), worker, list);
    clients.push_back(std::make_unique<NetworkClient>(net::Fd(fds[1])));
    loop.turn();
    return *clients.back();
  }
  ConnectionVerdict ask(const ConnectionFilter& filter) { return filter.onConnection(facts, cells, loop.now()); }
  int64_t stat(std::string_view name) const { return registry.valueOf(name).value_or(-1); }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::LogFiles log_files{registry};
  observability::LogSink log_sink{log_files};
  worker::NoCalls calls;
  worker::WorkerServices worker{
      {.loop = loop, .buffers = buffers, .cells = cells, .log_sink = log_sink, .calls = calls}};
  ConnectionFacts facts;
  base::List<LiveConnection> list;
  std::vector<std::unique_ptr<NetworkClient>> clients;
};

}  // namespace sluice::filter
