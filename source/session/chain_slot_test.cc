// A chain that is exchanged while requests are under way.
#include <catch2/catch.hpp>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/session/test_session.h"

namespace sluice::session {
namespace {

using filter::ChainConfig;
using filter::ChainSlot;
using filter::Context;
using filter::HookResult;

constexpr uint32_t kId = 3;

// Says on the response which chain it went through.
class Stamp : public filter::HttpFilter {
 public:
  explicit Stamp(const std::string& text) : text_(text) {}
  HookResult onResponseHeaders(http::ResponseHeaders& headers, Context&) override {
    headers.set("x-chain", text_);
    return filter::Next{};
  }

 private:
  const std::string& text_;
};

std::shared_ptr<const ChainConfig> chainOf(std::vector<std::string> stamps) {
  std::vector<ChainConfig::Entry> entries;
  for (std::string& stamp : stamps) {
    entries.push_back({stamp, std::make_shared<filter::Factory<Stamp, std::string>>(std::move(stamp))});
  }
  return std::make_shared<const ChainConfig>(std::move(entries));
}

struct Exchanged : TestSession {
  Exchanged() {
    settings->chain = std::make_shared<ChainSlot>(chainOf({"first"}), kId);
    tables.set(0, *route::Table::build({}));
  }
  std::unique_ptr<TestClient> request() {
    std::unique_ptr<TestClient> client = connect();
    client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    loop.turn();
    return client;
  }
  // The newest chain that a response names; empty: none came.
  std::string answered(TestClient& client) {
    loop.turn();
    const std::string text = client.take();
    const size_t at = text.rfind("x-chain: ");
    return at == std::string::npos ? "" : text.substr(at + 9, text.find('\r', at) - at - 9);
  }
};

TEST_CASE("a slot serves its first chain until it is given another") {
  Exchanged session;
  const auto client = session.request();
  session.stream().answer(200, "x");
  CHECK(session.answered(*client) == "first");
}

TEST_CASE("a stream goes on with the chain that it began with and later ones have the new one") {
  Exchanged session;
  session.worker.chains.set(kId, chainOf({"old"}));
  const auto before = session.request();
  session.worker.chains.set(kId, chainOf({"new", "more"}));
  const auto after = session.request();

  session.stream(1).answer(200, "x");
  session.stream(0).answer(200, "x");

  CHECK(session.answered(*after) == "new");
  CHECK(session.answered(*before) == "old");
}

TEST_CASE("requests of one connection have the chain that stands when they begin") {
  Exchanged session;
  session.worker.chains.set(kId, chainOf({"old"}));
  const auto client = session.request();
  session.worker.chains.set(kId, chainOf({"new"}));
  session.stream().answer(200, "x");
  CHECK(session.answered(*client) == "old");

  client->send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  session.loop.turn();
  session.stream().answer(200, "x");
  CHECK(session.answered(*client) == "new");
}

TEST_CASE("a chain that was exchanged is freed when its last stream ends, however it ends") {
  const bool cut = GENERATE(false, true);
  Exchanged session;
  auto old = chainOf({"old"});
  const std::weak_ptr<const ChainConfig> alive = old;
  session.worker.chains.set(kId, std::move(old));
  const auto one = session.request();
  const auto other = session.request();
  session.worker.chains.set(kId, chainOf({"new"}));

  session.stream(0).answer(200, "x");
  session.loop.turn();
  CHECK_FALSE(alive.expired());
  cut ? other->close() : session.stream(0).answer(200, "x");
  session.loop.turn();

  CHECK(alive.expired());
}

TEST_CASE("chains that are exchanged all the time under load lose no request and leave none behind") {
  Exchanged session;
  std::vector<std::weak_ptr<const ChainConfig>> chains;
  std::vector<std::pair<std::unique_ptr<TestClient>, std::string>> open;
  base::Random random(1);
  for (int i = 0; i < 500; ++i) {
    if (i % 3 == 0) {
      auto chain = chainOf({"c" + std::to_string(i)});
      chains.push_back(chain);
      session.worker.chains.set(kId, std::move(chain));
    }
    open.emplace_back(session.request(), "c" + std::to_string(i / 3 * 3));
    if (open.size() < 20) continue;
    const size_t chosen = random.next() % open.size();  // as old in the list of terminals
    session.stream(chosen).answer(200, "x");
    REQUIRE(session.answered(*open[chosen].first) == open[chosen].second);
    open.erase(open.begin() + static_cast<ptrdiff_t>(chosen));
    session.loop.turn();
  }
  while (!open.empty()) {
    session.stream().answer(200, "x");
    REQUIRE(session.answered(*open.front().first) == open.front().second);
    open.erase(open.begin());
    session.loop.turn();
  }
  session.worker.chains.set(kId, nullptr);
  for (const auto& chain : chains) CHECK(chain.expired());
}

TEST_CASE("an upgrade with filters of its own goes through them, other requests do not") {
  TestTerminals of_upgrade;
  TestSession t;
  t.settings->codec_limits.allow_upgrades = true;
  t.settings->upgrades.push_back({"websocket", true});
  t.settings->upgrade_chains.push_back(
      {"websocket", filter::fixedChain({}), std::make_shared<TestTerminalConfig>(of_upgrade)});
  const bool upgrade = GENERATE(false, true);
  const std::string type = upgrade ? "WebSocket" : "other";
  auto client = t.connect();

  client->send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: " + type + "\r\n\r\n");
  t.loop.turn();

  CHECK(of_upgrade.made == (upgrade ? 1 : 0));
  CHECK(t.terminals.made == (upgrade ? 0 : 1));
}

}  // namespace
}  // namespace sluice::session
