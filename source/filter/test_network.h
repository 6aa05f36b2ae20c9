// A worker for tests of network filters: virtual time, and clients over socket pairs.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/filter/network_chain.h"
#include "test/support/filter/fake_calls.h"
#include "test/support/filter/network_interleaving.h"

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
  // Of TCP.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }
  bool isClosed() {
    take();
    return closed;
  }

  bool closed = false;  // take() saw the end
  size_t sent = 0;

 private:
  net::Fd fd_;
};

// A connection as filters see it that only let it through or close it.
class TestNetworkStream : public NetworkStream {
 public:
  using NetworkStream::NetworkStream;
  NetworkToken resumeToken() override { return {}; }
  void close(const Close&) override {}
};

struct TestNetwork {
  TestNetwork() = default;
  // Filters have calls that answer elsewhere.
  explicit TestNetwork(Calls& calls) : worker_calls(&calls) {}
  ~TestNetwork() { closeAll(); }
  void closeAll() {
    while (!list.empty()) list.front().closeNow("test_end");
    loop.turn();
  }
  // A connection to `terminal` behind `filters`.
  NetworkClient& connect(const TerminalNetworkFilter& terminal, const NetworkFilters& filters = {}) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) abort();
    return connect(net::Fd(fds[0]), net::Fd(fds[1]), terminal, filters);
  }
  NetworkClient& connectTcp(const TerminalNetworkFilter& terminal, const NetworkFilters& filters = {}) {
    const net::Fd listener = *net::listenOn(*net::Address::parse("127.0.0.1:0"), {});
    net::Fd client = *net::startConnect(net::localAddress(listener.get()));
    pollfd ready{listener.get(), POLLIN, 0};
    if (poll(&ready, 1, 5000) != 1) abort();
    return connect(net::Fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)), std::move(client),
                   terminal, filters);
  }
  NetworkClient& connect(net::Fd ours, net::Fd clients_end, const TerminalNetworkFilter& terminal,
                         const NetworkFilters& filters) {
    Accepted accepted;
    accepted.fd = std::move(ours);
    accepted.transport = std::move(transport);
    accepted.buffer_limit = buffer_limit;
    accepted.remote = accepted.direct_remote = *net::Address::parse("10.1.2.3:4567");
    accepted.local = accepted.direct_local = *net::Address::parse("10.0.0.1:80");
    if (!filters.empty()) accepted.filters = std::make_shared<const NetworkFilters>(filters);
    terminal.serve(std::move(accepted), worker, list);
    clients.push_back(std::make_unique<NetworkClient>(std::move(clients_end)));
    loop.turn();
    return *clients.back();
  }
  // What a filter says of a connection with these `facts`. Nothing if it lets it through.
  std::optional<Close> refusal(const NetworkFilterFactory& filter) {
    const NetworkResult result = filter.admit(stream);
    if (result.kind() == NetworkResult::Kind::kNext) return std::nullopt;
    return result.close();
  }
  int64_t stat(std::string_view name) const { return registry.valueOf(name).value_or(-1); }

  uint32_t buffer_limit = 1024 * 1024;
  net::TransportPtr transport;  // of the next connection
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::LogFiles log_files{registry};
  observability::LogSink log_sink{log_files};
  testing::FakeCalls calls;
  Calls* worker_calls = &calls;
  worker::WorkerServices worker{
      {.loop = loop, .buffers = buffers, .cells = cells, .log_sink = log_sink, .calls = *worker_calls}};
  TestNetworkStream stream{worker};
  ConnectionFacts& facts = stream.facts();
  base::List<LiveConnection> list;
  std::vector<std::unique_ptr<NetworkClient>> clients;
};

// A terminal filter that needs no more than its worker, for runNetworkFilters.
class TerminalBed : public testing::NetworkBed {
 public:
  TerminalBed(Calls& calls, const TerminalNetworkFilter& terminal) : network_(calls), terminal_(terminal) {}
  event::PolledLoop& loop() override { return network_.loop; }
  void serve(Accepted accepted) override { terminal_.serve(std::move(accepted), network_.worker, network_.list); }
  base::List<LiveConnection>& connections() override { return network_.list; }

 private:
  TestNetwork network_;
  const TerminalNetworkFilter& terminal_;
};

}  // namespace sluice::filter
