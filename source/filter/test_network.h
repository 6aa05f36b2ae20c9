// A worker for tests of network filters: virtual time, and clients over socket pairs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/network_chain.h"
#include "source/net/test_socket.h"
#include "source/worker/test_worker.h"
#include "test/support/filter/accepted.h"
#include "test/support/filter/fake_calls.h"
#include "test/support/filter/network_interleaving.h"

namespace sluice::filter {

using NetworkClient = net::TestSocket;

// A connection as filters see it that only let it through or close it.
class TestNetworkStream : public NetworkStream {
 public:
  using NetworkStream::NetworkStream;
  NetworkToken resumeToken() override { return {}; }
  void close(const Close&) override {}
};

struct TestNetwork : worker::testing::WorkerParts {
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
    return connect(net::unixPair(), terminal, filters);
  }
  NetworkClient& connectTcp(const TerminalNetworkFilter& terminal, const NetworkFilters& filters = {}) {
    return connect(net::tcpPair(), terminal, filters);
  }
  NetworkClient& connect(net::SocketPair pair, const TerminalNetworkFilter& terminal, const NetworkFilters& filters) {
    Accepted accepted = testing::acceptedOf(std::move(pair.ours));
    accepted.transport = std::move(transport);
    accepted.buffer_limit = buffer_limit;
    if (!filters.empty()) accepted.filters = std::make_shared<const NetworkFilters>(filters);
    terminal.serve(std::move(accepted), worker, list);
    clients.push_back(std::make_unique<NetworkClient>(std::move(pair.peers)));
    loop.turn();
    return *clients.back();
  }
  // What a filter says of a connection with these `facts`. Nothing if it lets it through.
  std::optional<Close> refusal(const NetworkFilterFactory& filter) {
    const NetworkResult result = filter.admit(stream);
    if (result.kind() == NetworkResult::Kind::kNext) return std::nullopt;
    return result.close();
  }

  uint32_t buffer_limit = 1024 * 1024;
  net::TransportPtr transport;  // of the next connection
  testing::FakeCalls calls;
  Calls* worker_calls = &calls;
  worker::WorkerServices worker{setup(*worker_calls)};
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
