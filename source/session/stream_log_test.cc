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
