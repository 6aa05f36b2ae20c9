#include "source/xds/load_stats_client.h"

#include <catch2/catch.hpp>

#include "source/event/simulated_loop.h"
#include "source/xds/fakes.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;
using testing::FakeTransport;

// Reports a cluster whose name says the how manieth report that is.
struct NumberedReports : LoadStatsSource {
  void onWanted(LoadStatsWanted given) override {
    wanted = std::move(given);
    ++settings;
  }
  void takeReport(Report& out) override { out.Add()->set_cluster_name(std::to_string(++reports)); }

  LoadStatsWanted wanted;
  int settings = 0;
  int reports = 0;
};

struct Fixture {
  explicit Fixture(bool node_once = true)
      : client({.node = node(), .set_node_on_first_message_only = node_once}, std::make_unique<FakeTransport>(wire),
               source, loop, [this] { return random; }) {
    client.onLog([this](const std::string& line) { log.push_back(line); });
    client.start();
    wire->establish();
  }
  static envoy::config::core::v3::Node node() {
    envoy::config::core::v3::Node out;
    out.set_id("edge-1");
    return out;
  }
  static LoadStatsResponse settings(std::chrono::milliseconds interval, std::vector<std::string> clusters = {"a"}) {
    LoadStatsResponse out;
    for (std::string& name : clusters) out.add_clusters(std::move(name));
    out.mutable_load_reporting_interval()->set_seconds(interval.count() / 1000);
    out.mutable_load_reporting_interval()->set_nanos(static_cast<int32_t>(interval.count() % 1000 * 1'000'000));
    return out;
  }
  void ask(const LoadStatsResponse& response) {
    wire->events->onMessage(response.SerializeAsString());
    loop.settle();
  }
  LoadStatsRequest next() {
    LoadStatsRequest request;
    REQUIRE_FALSE(wire->sent.empty());
    REQUIRE(request.ParseFromString(wire->sent.front()));
    wire->sent.pop_front();
    return request;
  }

  std::shared_ptr<FakeTransport::Record> wire = std::make_shared<FakeTransport::Record>();
  event::SimulatedLoop loop;
  uint64_t random = 0;
  NumberedReports source;
  std::vector<std::string> log;
  LoadStatsClient client;
};

TEST_CASE("load reports begin when the server has said what it wants, and come once an interval") {
  Fixture f;
  CHECK(f.wire->method == "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats");
  const LoadStatsRequest first = f.next();
  CHECK(first.node().id() == "edge-1");
  CHECK(first.cluster_stats_size() == 0);
  f.loop.advance(60s);
  CHECK(f.wire->sent.empty());

  f.ask(Fixture::settings(2s));
  f.loop.advance(1999ms);
  CHECK(f.wire->sent.empty());
  f.loop.advance(2001ms);

  CHECK(f.wire->sent.size() == 2);
  const LoadStatsRequest report = f.next();
  CHECK_FALSE(report.has_node());
  CHECK(report.cluster_stats(0).cluster_name() == "1");
  CHECK(f.next().cluster_stats(0).cluster_name() == "2");
  CHECK(f.client.stats().responses == 3);
  CHECK(f.client.stats().requests == 1);
}

TEST_CASE("the node goes out with each load report when the configuration says so") {
  Fixture f(false);
  f.ask(Fixture::settings(1s));
  f.loop.advance(1s);

  CHECK(f.next().has_node());
  CHECK(f.next().has_node());
}

TEST_CASE("what the server wants is told as it says it") {
  Fixture f;
  LoadStatsResponse some = Fixture::settings(1s, {"a", "b"});
  some.set_report_endpoint_granularity(true);
  f.ask(some);
  CHECK_FALSE(f.source.wanted.all);
  CHECK(f.source.wanted.endpoints);
  CHECK(f.source.wanted.clusters == std::vector<std::string>{"a", "b"});

  LoadStatsResponse all = Fixture::settings(1s, {"a"});
  all.set_send_all_clusters(true);
  f.ask(all);
  CHECK(f.source.wanted.all);
  CHECK_FALSE(f.source.wanted.endpoints);
  CHECK(f.source.wanted.clusters.empty());
}

TEST_CASE("other settings begin another interval") {
  Fixture f;
  f.ask(Fixture::settings(10s));
  f.next();
  f.loop.advance(9s);

  f.ask(Fixture::settings(3s));
  f.loop.advance(2s);
  CHECK(f.wire->sent.empty());
  f.loop.advance(1s);
  CHECK(f.wire->sent.size() == 1);
}

TEST_CASE("an interval that nothing can be reported in is dropped, and the settings before it hold") {
  Fixture f;
  f.next();
  f.ask(Fixture::settings(0ms));
  CHECK(f.log.back() ==
        "load report settings dropped: load_reporting_interval has to be more than 0 s and at most 86400 s; nothing is "
        "reported");
  CHECK(f.source.settings == 0);

  f.ask(Fixture::settings(1s));
  LoadStatsResponse negative;
  negative.mutable_load_reporting_interval()->set_seconds(-5);
  f.ask(negative);
  f.ask(Fixture::settings(25h));
  f.wire->events->onMessage("\xff");
  f.loop.advance(1s);

  CHECK(f.wire->sent.size() == 1);
  CHECK(f.client.stats().errors == 4);
  CHECK(f.log.back() == "load report settings dropped: it is no LoadStatsResponse; reports go on as before");
}

TEST_CASE("no server makes a proxy report more often than ten times a second") {
  Fixture f;
  f.ask(Fixture::settings(1ms));
  f.loop.advance(1s);
  CHECK(f.source.reports == 10);
}

TEST_CASE("a report that the server does not take waits, and its counts are in a later one") {
  Fixture f;
  f.next();
  f.ask(Fixture::settings(1s));
  f.wire->blocked = true;
  f.loop.advance(3s);
  CHECK(f.source.reports == 1);

  f.wire->blocked = false;
  f.wire->taken();
  f.loop.advance(1s);
  CHECK(f.source.reports == 2);
}

TEST_CASE("a load report stream that ends is made again, and waits for the server's word there") {
  Fixture f;
  f.ask(Fixture::settings(1s));
  f.random = 100;
  f.wire->fail("gone");
  CHECK_FALSE(f.client.stats().connected);
  CHECK(f.log.back() == "load report stream ended: UNAVAILABLE: gone; counts go on; next attempt in 100 ms");
  f.loop.advance(99ms);
  CHECK(f.wire->connects == 1);
  f.loop.advance(1ms);
  CHECK(f.wire->connects == 2);
  CHECK(f.client.stats().retries == 1);

  f.wire->sent.clear();
  f.wire->establish();
  CHECK(f.next().node().id() == "edge-1");
  f.loop.advance(10s);
  CHECK(f.source.reports == 0);

  f.ask(Fixture::settings(1s));
  f.loop.advance(1s);
  CHECK(f.source.reports == 1);
}

}  // namespace
}  // namespace sluice::xds
