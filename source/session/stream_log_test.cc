// Entries of access logs before the end of a stream.
#include <catch2/catch.hpp>

#include "source/session/test_http1.h"

using namespace std::chrono_literals;

namespace sluice::session {
namespace {

// "TYPE STATUS MILLISECONDS" of each entry; the status as far as there is a head.
struct TimedLog : stream::AccessLog {
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    const auto duration = std::chrono::duration_cast<std::chrono::milliseconds>(context.info.response_end);
    const int status = context.response == nullptr ? 0 : context.response->status;
    entries.push_back(std::string(textOf(context.type)) + " " + std::to_string(status) + " " +
                      std::to_string(duration.count()));
  }
  mutable std::vector<std::string> entries;
};

struct LoggedSession : TestSession {
  explicit LoggedSession(AccessLogTimes times) {
    settings->access_logs = {timed};
    settings->log_times = times;
    settings->stream_idle_timeout = 0ms;
  }
  std::vector<std::string> entries() { return std::exchange(timed->entries, {}); }

  std::shared_ptr<TimedLog> timed = std::make_shared<TimedLog>();
};

using Entries = std::vector<std::string>;

// What entries may tell of their connection, as formats show it.
struct ConnectionLog : stream::AccessLog {
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    REQUIRE(context.info.downstream != nullptr);
    const stream::DownstreamFacts& facts = *context.info.downstream;
    constexpr const char* kCloses[] = {"open", "normal", "local reset", "remote reset"};
    entries.push_back(std::string(kCloses[static_cast<size_t>(facts.close)]) + " " +
                      std::string(facts.local_close_reason));
    remote = facts.remote_address;
    direct_local = facts.direct_local_address;
    round_trip = facts.connection->roundTrip().has_value();
    ja4 = facts.fingerprints == nullptr ? "" : facts.fingerprints->ja4;
  }
  mutable std::vector<std::string> entries;
  mutable std::string remote, direct_local, ja4;
  mutable bool round_trip = false;
};

struct ConnectionLogged : TestSession {
  ConnectionLogged() { settings->access_logs = {told}; }
  std::unique_ptr<TestClient> client() {
    return begin(net::tcpPair(), {http::h1::makeServerCodec, nullptr}, [](filter::Accepted& accepted) {
      accepted.remote = *net::Address::parse("192.0.2.7:70");
      accepted.local = *net::Address::parse("192.0.2.1:443");
      accepted.direct_local = *net::Address::parse("10.0.0.1:8443");
      accepted.fingerprints = std::make_unique<stream::TlsFingerprints>(stream::TlsFingerprints{"", "t13d"});
    });
  }

  std::shared_ptr<ConnectionLog> told = std::make_shared<ConnectionLog>();
};

TEST_CASE("an entry tells where its connection came from, and asks the kernel while it is open") {
  ConnectionLogged t;
  auto client = t.client();
  client->send(kGet);
  t.loop.turn();
  t.stream().answer(204, "");
  t.loop.turn();

  CHECK(t.told->entries == Entries{"open "});
  CHECK(t.told->remote == "192.0.2.7:70");
  CHECK(t.told->direct_local == "10.0.0.1:8443");
  CHECK(t.told->ja4 == "t13d");
  CHECK(t.told->round_trip);
}

TEST_CASE("an entry that is written at the end of its connection tells how that came") {
  ConnectionLogged t;
  auto client = t.client();
  client->send(kGet);
  t.loop.turn();
  SECTION("by the client's end") {
    client->finish();
    t.loop.turn();
    CHECK(t.told->entries == Entries{"normal "});
  }
  SECTION("by a reset") {
    client->reset();
    t.loop.turn();
    CHECK(t.told->entries == Entries{"remote reset "});
    CHECK_FALSE(t.told->round_trip);
  }
  SECTION("by us") {
    t.connections.front().closeNow("drain_timeout");
    t.loop.turn();
    CHECK(t.told->entries == Entries{"normal drain_timeout"});
  }
}

TEST_CASE("a request is told of when it comes") {
  LoggedSession t({.on_request = true});
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  CHECK(t.entries() == Entries{"DownstreamStart 0 0"});
  t.loop.pass(20ms);
  t.stream().answer(204, "");
  t.loop.turn();
  CHECK(t.entries() == Entries{"DownstreamEnd 204 20"});
}

TEST_CASE("a stream is told of again and again while it lasts, with the duration so far") {
  LoggedSession t({.interval = 100ms});
  auto client = t.connect();
  for (int round = 0; round < 2; ++round) {  // the second request is on a recycled stream
    client->send(kGet);
    t.loop.turn();
    t.loop.pass(250ms);
    CHECK(t.entries() == Entries{"DownstreamPeriodic 0 100", "DownstreamPeriodic 0 200"});
    t.stream().head(200, false, 1);
    t.loop.pass(50ms);
    CHECK(t.entries() == Entries{"DownstreamPeriodic 200 300"});
    t.stream().runner.responseData("x", true);
    t.loop.pass(500ms);
    CHECK(t.entries() == Entries{"DownstreamEnd 200 300"});
  }
}

TEST_CASE("a client that goes away ends the entries") {
  LoggedSession t({.interval = 100ms});
  auto client = t.connect();
  client->send(kGet);
  t.loop.turn();
  client->close();
  t.loop.turn();
  t.loop.pass(1s);
  CHECK(t.entries() == Entries{"DownstreamEnd 0 0"});
}

TEST_CASE("a tunnel is told of when it opens, and an upgrade that is refused is not") {
  LoggedSession t({.on_tunnel = true});
  t.settings->upgrades = {{"websocket", true}};
  t.settings->codec_limits.allow_upgrades = true;
  const std::string upgrade = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
  SECTION("opened") {
    auto client = t.connect();
    client->send(upgrade);
    t.loop.turn();
    t.stream().head(101, false);
    t.loop.turn();
    CHECK(t.entries() == Entries{"DownstreamTunnelSuccessfullyEstablished 101 0"});
  }
  SECTION("refused") {
    auto client = t.connect();
    client->send(upgrade);
    t.loop.turn();
    t.stream().answer(403, "");
    t.loop.turn();
    CHECK(t.entries() == Entries{"DownstreamEnd 403 0"});
  }
}

}  // namespace
}  // namespace sluice::session
