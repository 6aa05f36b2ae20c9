// Filters in front of a terminal network filter, and the base of terminals that take plain bytes.
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <functional>

#include "source/filter/network_connection.h"
#include "source/net/test_socket.h"
#include "source/worker/test_worker.h"

using namespace std::chrono_literals;

namespace sluice::filter {
namespace {

class TestGate : public NetworkFilterFactory {
 public:
  explicit TestGate(NetworkResult result) : result_(result) {}
  NetworkResult admit(NetworkStream& stream) const override {
    ++asked;
    seen = stream.facts().server_name;
    return result_;
  }
  void onEnd(NetworkStream&, bool admitted) const override { ++(admitted ? ended_allowed : ended_refused); }
  mutable int asked = 0, ended_allowed = 0, ended_refused = 0;
  mutable std::string seen;

 private:
  NetworkResult result_;
};

struct Log {
  int admitted = 0, over = 0, destroyed = 0;
  std::string data, details;
  bool ended = false;
};

class TestConnection : public NetworkConnection {
 public:
  TestConnection(worker::WorkerServices& worker, Accepted& accepted, Log& log)
      : NetworkConnection(worker, accepted), log_(log) {}
  ~TestConnection() override { ++log_.destroyed; }
  void start(base::List<LiveConnection>& list) { begin(list); }

 private:
  void onAdmitted() override { ++log_.admitted; }
  size_t credit() override { return 65536; }
  void onData(std::string_view bytes) override { log_.data += bytes; }
  void onEnd() override {
    log_.ended = true;
    finish("ended");
  }
  bool over(std::string_view details) override {
    ++log_.over;
    log_.details = details;
    return true;
  }
  Log& log_;
};

// A handshake that is over after one byte of the client.
class ByteTransport : public net::Transport {
 public:
  Status handshake(const Io& io) override {
    char byte;
    return recv(io.fd, &byte, 1, MSG_DONTWAIT) == 1 ? Status::kDone : Status::kWantRead;
  }
  Result read(const Io& io, char* to, size_t size) override {
    const ssize_t n = recv(io.fd, to, size, MSG_DONTWAIT);
    if (n > 0) return {Status::kDone, static_cast<size_t>(n)};
    return {n == 0 ? Status::kEnd : Status::kWantRead};
  }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  std::string_view serverName() const override { return "sni.example"; }
};

struct NetworkTest : worker::testing::TestWorker {
  ~NetworkTest() {
    while (!list.empty()) list.front().closeNow("test over");
    loop.turn();
  }
  TestConnection* connect(net::TransportPtr transport = nullptr) {
    net::SocketPair pair = net::unixPair();
    client = std::move(pair.peers);
    Accepted accepted;
    accepted.fd = std::move(pair.ours);
    accepted.transport = std::move(transport);
    accepted.server_name = "inspected.example";
    if (!gates.empty()) accepted.filters = std::make_shared<const NetworkFilters>(gates);
    auto* connection = new TestConnection(services, accepted, log);
    connection->start(list);
    return connection;
  }
  std::shared_ptr<TestGate> gate(NetworkResult result = Next{}) {
    auto made = std::make_shared<TestGate>(result);
    gates.push_back(made);
    return made;
  }
  void send(std::string_view bytes) {
    (void)!::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    loop.turn();
  }
  bool closed() {
    loop.turn();
    char byte;
    return recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  NetworkFilters gates;
  base::List<LiveConnection> list;
  Log log;
  net::Fd client;
};

TEST_CASE("a plain connection without filters is served at once and tells its end") {
  NetworkTest t;
  t.connect();
  CHECK(t.log.admitted == 1);

  t.send("hello");
  CHECK(t.log.data == "hello");
  shutdown(t.client.get(), SHUT_WR);
  t.loop.turn();

  CHECK(t.log.ended);
  CHECK(t.log.over == 1);
  CHECK(t.log.destroyed == 1);
  CHECK(t.list.empty());
}

TEST_CASE("filters are asked in order until one refuses, and each asked one is told of the end") {
  NetworkTest t;
  auto first = t.gate(), second = t.gate(Close{"no entry"}), third = t.gate();
  t.connect();

  CHECK(t.closed());

  CHECK(t.log.admitted == 0);
  CHECK(t.log.details == "no entry");
  CHECK(first->ended_allowed == 1);
  CHECK(second->ended_refused == 1);
  CHECK(third->asked == 0);
  CHECK(third->ended_allowed + third->ended_refused == 0);
}

TEST_CASE("a filter that lets a connection through is told of its end only then") {
  NetworkTest t;
  auto gate = t.gate();
  TestConnection* connection = t.connect();
  t.loop.turn();
  CHECK(t.log.admitted == 1);
  CHECK(gate->ended_allowed == 0);

  CHECK(connection->closeNow("test"));
  t.loop.turn();

  CHECK(gate->ended_allowed == 1);
  CHECK(t.log.details == "test");
}

TEST_CASE("a refusal with a delay reads nothing and closes after the delay") {
  NetworkTest t;
  t.gate(Close{"wait", 500ms});
  t.connect();
  t.send("data");
  t.loop.pass(499ms);
  CHECK(t.log.over == 0);

  t.loop.pass(1ms);

  CHECK(t.log.over == 1);
  CHECK(t.log.data == "");
  CHECK(t.log.destroyed == 1);
}

TEST_CASE("a client that goes during the delay of a refusal is let go") {
  NetworkTest t;
  t.gate(Close{"wait", 500ms});
  t.connect();

  t.client = net::Fd();
  t.loop.turn();

  CHECK(t.log.destroyed == 1);
  t.loop.pass(1s);
}

TEST_CASE("behind a handshake filters see what the handshake brought") {
  NetworkTest t;
  auto gate = t.gate();
  t.connect(std::make_unique<ByteTransport>());
  t.loop.turn();
  CHECK(gate->asked == 0);

  t.send("!data");

  CHECK(gate->seen == "sni.example");
  CHECK(t.log.admitted == 1);
  CHECK(t.log.data == "data");
}

TEST_CASE("a handshake that never comes is given up") {
  NetworkTest t;
  t.connect(std::make_unique<ByteTransport>());
  t.loop.pass(14999ms);
  CHECK(t.log.over == 0);

  t.loop.pass(1ms);

  CHECK(t.log.details == "handshake_timeout");
  CHECK(t.log.destroyed == 1);
}

}  // namespace
}  // namespace sluice::filter
