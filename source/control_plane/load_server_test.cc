#include "source/control_plane/load_server.h"

#include <catch2/catch.hpp>

#include "envoy/service/load_stats/v3/lrs.pb.h"
#include "source/event/simulated_loop.h"

namespace sluice::control_plane {
namespace {

using namespace std::chrono_literals;
using envoy::service::load_stats::v3::LoadStatsRequest;
using envoy::service::load_stats::v3::LoadStatsResponse;

struct Writer : MessageWriter {
  void write(std::string message) override { written.push_back(std::move(message)); }
  std::vector<std::string> written;
};

// A request of a proxy that reports these.
struct Report {
  Report& cluster(const std::string& name, uint64_t dropped = 0) {
    auto& stats = *request.add_cluster_stats();
    stats.set_cluster_name(name);
    stats.set_total_dropped_requests(dropped);
    stats.mutable_load_report_interval()->set_seconds(2);
    return *this;
  }
  // In the cluster that was named last.
  Report& zone(const std::string& name, uint64_t succeeded, uint64_t failed, uint64_t running, uint64_t issued) {
    auto& stats = *request.mutable_cluster_stats(request.cluster_stats_size() - 1)->add_upstream_locality_stats();
    stats.mutable_locality()->set_region("r");
    stats.mutable_locality()->set_zone(name);
    stats.set_total_successful_requests(succeeded);
    stats.set_total_error_requests(failed);
    stats.set_total_requests_in_progress(running);
    stats.set_total_issued_requests(issued);
    return *this;
  }
  LoadStatsRequest request;
};

struct LoadTest {
  explicit LoadTest(LoadServer::Options options = {.interval = 2s}) : server(loop.timers(), logger, options) {}

  std::unique_ptr<ServedStream> connect(const std::string& id) {
    std::unique_ptr<ServedStream> stream = server.open("10.0.0.1:5", writer);
    LoadStatsRequest first;
    first.mutable_node()->set_id(id);
    REQUIRE(stream->onMessage(first.SerializeAsString()).ok());
    return stream;
  }
  static void report(ServedStream& stream, const Report& report) {
    REQUIRE(stream.onMessage(report.request.SerializeAsString()).ok());
  }

  event::SimulatedLoop loop;
  observability::Logger logger{observability::LogLevel::kOff};
  Writer writer;
  LoadServer server;
};

TEST_CASE("a proxy is asked for all of its clusters, in the configured interval") {
  LoadTest t({.interval = 1500ms});
  const auto silent = t.server.open("10.0.0.2:5", t.writer);
  CHECK(t.server.proxies().empty());
  const auto stream = t.connect("p");
  REQUIRE(t.writer.written.size() == 1);
  LoadStatsResponse wanted;
  REQUIRE(wanted.ParseFromString(t.writer.written[0]));
  CHECK(wanted.send_all_clusters());
  CHECK(wanted.load_reporting_interval().seconds() == 1);
  CHECK(wanted.load_reporting_interval().nanos() == 500'000'000);

  REQUIRE(t.server.proxies().size() == 1);
  CHECK(t.server.proxies()[0].id == "p");
  CHECK_FALSE(t.server.proxies()[0].age);
  CHECK(t.server.load().sum.proxies == 0);
}

TEST_CASE("what proxies report is summed by cluster and locality, per second") {
  LoadTest t;
  const auto one = t.connect("one"), two = t.connect("two");
  LoadTest::report(*one, Report().cluster("c", 4).zone("a", 18, 2, 3, 22).zone("b", 0, 0, 1, 0));
  LoadTest::report(*two, Report().cluster("c").zone("a", 10, 10, 0, 20).cluster("d").zone("a", 2, 0, 0, 0));

  const FleetLoad fleet = t.server.load();
  CHECK(fleet.sum.proxies == 2);
  CHECK(fleet.sum.requests == 22);  // (22 + 20 + 2) / 2
  CHECK(fleet.sum.in_flight == 4);
  const ClusterLoad& c = fleet.clusters.at("c");
  CHECK(c.sum.proxies == 2);
  CHECK(c.sum.requests == 21);
  CHECK(c.sum.errorShare() == 0.3);  // 12 of 40
  CHECK(c.sum.dropped == 2);
  CHECK(c.places.at({"r/a", 0}).proxies == 2);
  CHECK(c.places.at({"r/b", 0}).in_flight == 1);
  CHECK(c.places.at({"r/b", 0}).errorShare() == 0);
  CHECK(fleet.clusters.at("d").sum.requests == 1);

  CHECK(t.server.total().proxies == 2);
  CHECK(t.server.total().requests == 22);
  CHECK(t.server.total().dropped == 2);

  const FleetLoad alone = t.server.load("one");
  CHECK(alone.sum.proxies == 1);
  CHECK(alone.clusters.at("c").sum.requests == 11);
  CHECK(alone.clusters.size() == 1);
}

TEST_CASE("a report takes the place of the one before, and goes with its stream") {
  LoadTest t;
  auto stream = t.connect("p");
  LoadTest::report(*stream, Report().cluster("c").zone("a", 2, 0, 0, 2));
  LoadTest::report(*stream, Report().cluster("d").zone("a", 4, 0, 0, 4));
  CHECK(t.server.load().clusters.size() == 1);
  CHECK(t.server.load().clusters.at("d").sum.requests == 2);
  CHECK(t.server.total().requests == 2);

  stream.reset();
  CHECK(t.server.load().clusters.empty());
  CHECK(t.server.proxies().empty());
}

TEST_CASE("a proxy that has fallen silent does not count") {
  LoadTest t;
  const auto stream = t.connect("p");
  LoadTest::report(*stream, Report().cluster("c").zone("a", 2, 0, 0, 2));
  t.loop.advance(6s);
  CHECK(t.server.load().sum.proxies == 1);
  t.loop.advance(1ms);
  CHECK(t.server.load().sum.proxies == 0);
  CHECK(t.server.total().proxies == 0);
  CHECK_FALSE(t.server.proxies()[0].counts);
  CHECK(*t.server.proxies()[0].age == 6001ms);
}

TEST_CASE("what does not fit is left out and counted, and room is given back") {
  LoadTest t({.interval = 2s, .report_bytes = 1000, .all_bytes = 1500});
  Report large;
  for (int i = 0; i < 100; ++i) large.cluster(std::string(10, static_cast<char>('a' + i % 26)) + std::to_string(i));
  auto one = t.connect("one");
  const auto two = t.connect("two");
  LoadTest::report(*one, large);
  LoadTest::report(*two, large);
  const std::vector<ReportingProxy> proxies = t.server.proxies();
  CHECK(proxies[0].clusters > 0);
  CHECK(proxies[0].clusters + proxies[0].left_out == 100);
  CHECK(proxies[1].clusters < proxies[0].clusters);

  one.reset();
  LoadTest::report(*two, large);
  CHECK(t.server.proxies()[0].clusters == proxies[0].clusters);
}

TEST_CASE("what is no report, or of nobody, ends the call") {
  LoadTest t;
  const auto refusal = [&](const std::string& bytes) {
    return std::string(t.server.open("a", t.writer)->onMessage(bytes).message());
  };
  CHECK(refusal("\xff") == "it is no LoadStatsRequest");
  CHECK(refusal("") == "the first request has no node, which says who reports");
  LoadStatsRequest request;
  request.mutable_node()->set_id(std::string(1025, 'x'));
  CHECK(refusal(request.SerializeAsString()) == "node.id or node.cluster is longer than 1024 bytes");
  CHECK(t.server.proxies().empty());
}

TEST_CASE("a report that says nothing of its time is of the time that was asked for") {
  LoadTest t;
  const auto stream = t.connect("p");
  Report report = Report().cluster("c").zone("a", 6, 0, 0, 6);
  report.request.mutable_cluster_stats(0)->mutable_load_report_interval()->set_seconds(-7);
  LoadTest::report(*stream, report);
  CHECK(t.server.load().clusters.at("c").sum.requests == 3);
}

}  // namespace
}  // namespace sluice::control_plane
