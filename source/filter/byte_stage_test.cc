// Network filters that wait and see bytes, in front of a terminal filter that sends back what comes.
#include "source/filter/byte_stage.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <functional>

#include "source/filter/test_mirror.h"
#include "source/filter/test_network.h"
#include "test/support/filter/fake_calls.h"
#include "test/support/filter/network_filters.h"
#include "test/support/filter/network_interleaving.h"

using namespace std::chrono_literals;

namespace sluice::filter {
namespace {

using testing::CloseAt;

struct StageTest : TestNetwork {
  explicit StageTest(NetworkFilters filters) : filters(std::move(filters)) {}
  ~StageTest() { closeAll(); }  // the connections tell `heard`
  NetworkClient& connect() { return TestNetwork::connect(mirror, filters); }
  void answer(uint16_t status = 200) {
    calls.answer({.status = status});
    loop.turn();
  }

  NetworkFilters filters;
  Heard heard;
  MirrorFilter mirror{heard};
};

// Hooks as functions.
struct Script {
  std::function<NetworkResult(NetworkStream&)> open;
  std::function<NetworkResult(Chunk&, NetworkStream&)> data, write;
  std::function<void(NetworkStream&)> end;
};
class Scripted : public NetworkFilter {
 public:
  explicit Scripted(const Script& script) : script_(script) {}
  NetworkResult onNewConnection(NetworkStream& stream) override {
    return script_.open ? script_.open(stream) : NetworkResult(Next{});
  }
  NetworkResult onData(Chunk& chunk, NetworkStream& stream) override {
    return script_.data ? script_.data(chunk, stream) : NetworkResult(Next{});
  }
  NetworkResult onWrite(Chunk& chunk, NetworkStream& stream) override {
    return script_.write ? script_.write(chunk, stream) : NetworkResult(Next{});
  }
  void onEnd(NetworkStream& stream) override {
    if (script_.end) script_.end(stream);
  }

 private:
  const Script& script_;
};
class ScriptedFactory : public NetworkFilterFactory {
 public:
  explicit ScriptedFactory(Script script) : script_(std::move(script)) {}
  std::unique_ptr<NetworkFilter> create() const override { return std::make_unique<Scripted>(script_); }

 private:
  const Script script_;
};
std::shared_ptr<const NetworkFilterFactory> scripted(Script script) {
  return std::make_shared<const ScriptedFactory>(std::move(script));
}

TEST_CASE("a connection is not served before a filter that waits lets it in, and nothing of it is read") {
  StageTest t({testing::waitsForCall()});
  NetworkClient& client = t.connect();
  client.send("early");
  client.finish();
  t.loop.pass(1h);
  CHECK(t.heard.admitted == 0);
  CHECK(t.heard.details == "");

  t.answer();

  CHECK(t.heard.admitted == 1);
  CHECK(t.heard.data == "early");
  CHECK(t.heard.ended);
  CHECK(client.take() == "early");
  CHECK(client.closed);
}

TEST_CASE("a client that floods while a filter waits is held back by the kernel") {
  StageTest t({testing::waitsForCall()});
  NetworkClient& client = t.connect();
  const std::string piece(64 * 1024, 'x');
  size_t before = SIZE_MAX;
  while (before != client.sent) {
    before = client.sent;
    client.send(piece);
    t.loop.turn();
  }
  CHECK(client.sent < 4 << 20);

  t.answer();
  std::string got;
  client.finish();
  REQUIRE(t.loop.until([&] {
    got += client.take();
    return client.closed;
  }));
  CHECK(got.size() == client.sent);
}

TEST_CASE("a refusal after a wait closes the connection, with its flag for the log") {
  StageTest t({testing::waitsForCall()});
  NetworkClient& client = t.connect();
  client.send("early");

  t.answer(403);

  CHECK(client.isClosed());
  CHECK(t.heard.admitted == 0);
  CHECK(t.heard.details == "denied");
  CHECK(t.list.empty());
}

TEST_CASE("a reset ends a connection at once that is not let in yet") {
  int ended = 0;
  StageTest t({scripted({.end = [&](NetworkStream&) { ++ended; }}), testing::waitsForCall()});
  NetworkClient& client = t.connectTcp(t.mirror, t.filters);
  client.send("early");
  REQUIRE(t.loop.until([&] { return t.calls.waiting() == 1; }));

  client.reset();
  t.loop.turn(100);

  CHECK(t.heard.admitted == 0);
  CHECK(t.heard.details == "downstream_remote_disconnect");
  CHECK(t.list.empty());
  CHECK(t.calls.waiting() == 0);
  CHECK(ended == 1);
}

TEST_CASE("filters behind one that waits are asked when it lets the connection through") {
  int asked = 0;
  StageTest t({testing::waitsForCall(), scripted({.open = [&](NetworkStream&) -> NetworkResult {
                 ++asked;
                 return Next{};
               }})});
  t.connect();
  CHECK(asked == 0);

  t.answer();

  CHECK(asked == 1);
  CHECK(t.heard.admitted == 1);
}

TEST_CASE("read filters run first to last and write filters last to first") {
  const auto adds = [](std::string name) {
    const auto add = [name](Chunk& chunk, NetworkStream&) -> NetworkResult {
      if (!chunk.bytes().empty()) chunk.replace(std::string(chunk.bytes()) + name);
      return Next{};
    };
    return scripted({.data = add, .write = add});
  };
  StageTest t({adds("1"), adds("2")});
  NetworkClient& client = t.connect();

  client.send("x");
  t.loop.turn();

  CHECK(t.heard.data == "x12");
  CHECK(client.take() == "x1221");
}

TEST_CASE("while a chunk waits no more is read, and the end stays behind it") {
  NetworkToken token;
  std::string seen;
  StageTest t({scripted({.data = [&](Chunk& chunk, NetworkStream& stream) -> NetworkResult {
    seen += chunk.bytes();
    if (seen != "first") return Next{};
    token = stream.resumeToken();
    return Pause{};
  }})});
  NetworkClient& client = t.connect();
  client.send("first");
  t.loop.turn();
  client.send("second");
  client.finish();
  t.loop.pass(1h);
  CHECK(seen == "first");
  CHECK(t.heard.data == "");

  token.resumeWith("1st");
  t.loop.turn();

  CHECK(t.heard.data == "1stsecond");
  CHECK(t.heard.ended);
  CHECK(client.take() == "1stsecond");
}

TEST_CASE("no more than the buffer limit waits at a filter that pauses") {
  NetworkToken token;
  size_t largest = 0;
  StageTest t({scripted({.data = [&](Chunk& chunk, NetworkStream& stream) -> NetworkResult {
    largest = std::max(largest, chunk.bytes().size());
    token = stream.resumeToken();
    return Pause{};
  }})});
  t.buffer_limit = 1000;
  NetworkClient& client = t.connect();
  client.send(std::string(5000, 'x'));
  client.finish();
  for (int i = 0; i < 10; ++i) {
    t.loop.turn();
    token.resume();
  }
  t.loop.turn();

  CHECK(largest == 1000);
  CHECK(t.heard.data.size() == 5000);
}

TEST_CASE("a filter that makes much of little gives the terminal filter no more than its credit at once") {
  StageTest t({scripted({.data = [](Chunk& chunk, NetworkStream&) -> NetworkResult {
    chunk.replace(std::string(chunk.bytes().size() * 300'000, 'x'));
    return Next{};
  }})});
  NetworkClient& client = t.connect();
  client.send("ab");
  client.finish();

  size_t got = 0;
  REQUIRE(t.loop.until([&] {
    got += client.take().size();
    return client.closed;
  }));
  CHECK(got == 600'000);
}

TEST_CASE("what waits for a paused write filter counts as not sent, and its source is held back") {
  NetworkToken token;
  StageTest t({scripted({.write = [&](Chunk&, NetworkStream& stream) -> NetworkResult {
    if (token) return Next{};
    token = stream.resumeToken();
    return Pause{};
  }})});
  NetworkClient& client = t.connect();
  const std::string piece(64 * 1024, 'x');
  size_t before = SIZE_MAX;
  while (before != client.sent) {
    before = client.sent;
    client.send(piece);
    t.loop.turn();
  }
  CHECK(t.heard.data.size() <= 128 * 1024);
  CHECK(client.take() == "");
  client.finish();

  size_t got = 0;
  REQUIRE(t.loop.until([&] {
    if (token) token.resume();
    t.loop.turn();
    got += client.take().size();
    return client.closed;
  }));
  CHECK(got == client.sent);
}

TEST_CASE("a close in the middle lets nothing more through and ends the connection after its delay") {
  StageTest t({testing::closing(CloseAt::kClientByte, 4, 500ms)});
  NetworkClient& client = t.connect();
  client.send("abc");
  t.loop.turn();
  client.send("d");
  t.loop.turn();
  client.send("e");
  t.loop.pass(499ms);
  CHECK(t.heard.data == "abc");
  CHECK(client.take() == "abc");
  CHECK(!client.closed);

  t.loop.pass(1ms);

  CHECK(client.isClosed());
  CHECK(t.heard.details == "enough");
  CHECK(!t.heard.ended);
}

TEST_CASE("a client that goes while its connection waits for the close is let go") {
  StageTest t({testing::closing(CloseAt::kClientByte, 1, 1h)});
  NetworkClient& client = t.connect();
  client.send("a");
  t.loop.turn();
  CHECK(!t.list.empty());

  client.close();
  t.loop.turn();

  CHECK(t.list.empty());
}

TEST_CASE("a filter closes from a timer of its own") {
  std::unique_ptr<Call> timer;
  StageTest t({scripted({.open = [&](NetworkStream& stream) -> NetworkResult {
                           timer = stream.calls().after(1s, [&stream] { stream.close({"too slow"}); });
                           return Next{};
                         },
                         .end = [&](NetworkStream&) { timer.reset(); }})});
  NetworkClient& client = t.connect();
  client.send("abc");
  t.loop.turn();

  t.calls.expire();
  t.loop.turn();

  CHECK(client.take() == "abc");
  CHECK(client.closed);
  CHECK(t.heard.details == "too slow");
}

TEST_CASE("a token that is dropped closes the connection") {
  StageTest t({testing::forgetting()});
  NetworkClient& client = t.connect();

  client.send("a");
  t.loop.turn();

  CHECK(client.isClosed());
  CHECK(t.heard.details == "filter_token_dropped");
  CHECK(t.heard.data == "");
}

TEST_CASE("a token is dead once its connection has ended") {
  NetworkToken token;
  StageTest t({scripted({.data = [&](Chunk&, NetworkStream& stream) -> NetworkResult {
    token = stream.resumeToken();
    return Pause{};
  }})});
  t.connect().send("a");
  t.loop.turn();
  CHECK(token);

  t.list.front().closeNow("test");

  CHECK(!token);
  token.resume();
  t.loop.turn();
  CHECK(t.heard.data == "");
}

TEST_CASE("a break behind bytes that wait ends the connection when nobody has taken them in ten seconds") {
  NetworkToken token;
  StageTest t({scripted({.data = [&](Chunk&, NetworkStream& stream) -> NetworkResult {
    token = stream.resumeToken();
    return Pause{};
  }})});
  NetworkClient& client = t.connectTcp(t.mirror, t.filters);
  client.send("a");
  REQUIRE(t.loop.until([&] { return static_cast<bool>(token); }));
  client.reset();
  t.loop.turn(100);
  t.loop.pass(9s);
  CHECK(!t.list.empty());
  CHECK(!t.heard.reset);

  t.loop.pass(2s);

  CHECK(t.heard.reset);
  CHECK(t.list.empty());
}

TEST_CASE("bytes in front of a break reach the terminal filter when their filter lets them go") {
  NetworkToken token;
  StageTest t({scripted({.data = [&](Chunk&, NetworkStream& stream) -> NetworkResult {
    token = stream.resumeToken();
    return Pause{};
  }})});
  NetworkClient& client = t.connectTcp(t.mirror, t.filters);
  client.send("a");
  REQUIRE(t.loop.until([&] { return static_cast<bool>(token); }));
  client.reset();
  t.loop.turn(100);

  token.resume();
  t.loop.turn();

  CHECK(t.heard.data == "a");
  CHECK(t.heard.reset);
}

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
  Result write(const Io& io, const iovec* vectors, int count) override {
    size_t sent = 0;
    for (int i = 0; i < count; ++i) {
      const ssize_t n = send(io.fd, vectors[i].iov_base, vectors[i].iov_len, MSG_NOSIGNAL);
      if (n > 0) sent += static_cast<size_t>(n);
    }
    return {Status::kDone, sent};
  }
  void sendEnd(const Io& io) override { (void)send(io.fd, "$", 1, MSG_NOSIGNAL); }
  std::string_view serverName() const override { return "sni.example"; }
};

TEST_CASE("above a transport filters are asked behind its handshake, and its end follows what they let through") {
  std::string seen;
  StageTest t({scripted({.open = [&](NetworkStream& stream) -> NetworkResult {
                 seen = stream.facts().server_name;
                 return Next{};
               }}),
               testing::doubling()});
  t.transport = std::make_unique<ByteTransport>();
  NetworkClient& client = t.connect();
  CHECK(seen == "");

  client.send("!aabb");
  client.finish();
  t.loop.turn();

  CHECK(seen == "sni.example");
  CHECK(t.heard.data == "ab");
  CHECK(client.take() == "aabb.$");
}

TEST_CASE("the time for the handshake is not that of filters which wait behind it") {
  StageTest t({testing::waitsForCall()});
  t.transport = std::make_unique<ByteTransport>();
  NetworkClient& client = t.connect();
  client.send("!");
  t.loop.pass(1min);
  CHECK(!t.list.empty());
  t.answer();
  CHECK(t.heard.admitted == 1);

  t.transport = std::make_unique<ByteTransport>();
  t.connect();
  t.loop.pass(15s);

  CHECK(t.heard.details == "handshake_timeout");
}

TEST_CASE("bytes that a filter keeps are looked at in shares of a turn") {
  size_t kept = 0;
  StageTest t({scripted({.data = [&](Chunk& chunk, NetworkStream&) -> NetworkResult {
    kept += chunk.bytes().size();
    chunk.replace(chunk.endStream() ? "all" : "");
    return Next{};
  }})});
  t.buffer_limit = 10;
  NetworkClient& client = t.connect();
  client.send(std::string(1000, 'x'));
  client.finish();
  t.loop.turn();

  CHECK(kept == 1000);
  CHECK(t.heard.data == "all");
  CHECK(client.take() == "all");
}

TEST_CASE("network filters keep order and lose nothing, whatever comes first") {
  Heard heard;
  const MirrorFilter mirror(heard);

  CHECK(testing::runNetworkFilters([&](Calls& calls) { return std::make_unique<TerminalBed>(calls, mirror); }, "abcde",
                                   "abcde") == "");
}

}  // namespace
}  // namespace sluice::filter
