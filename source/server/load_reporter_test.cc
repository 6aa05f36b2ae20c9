// What is reported of clusters, with the cluster manager and one real worker.
#include "source/server/load_reporter.h"

#include <catch2/catch.hpp>

#include "source/extensions/clusters/eds/source.h"
#include "source/server/test_process.h"

using namespace std::chrono_literals;

namespace sluice::server {
namespace {

namespace cluster = upstream::cluster;
namespace v3 = envoy::config::endpoint::v3;
using cluster::HostStat;

struct LoadTest : Process {
  LoadTest() : clusters(*main, workers, stats, cells, names, *resolver, logger, 1) {}

  // A cluster with two hosts in zone a, and one in zone b of priority 1.
  void add(const std::string& name) {
    extensions::clusters::eds::Settings settings;
    settings.cluster = name;
    settings.service_name = name + "-service";
    settings.initial_fetch_timeout = 60s;
    auto config = std::make_shared<cluster::ClusterConfig>();
    config->name = config->stat_name = name;
    config->kind = std::make_shared<extensions::clusters::eds::Kind>(settings);
    config->content_hash = 1;
    clusters.set(std::move(config), {}, false, "1");
    give(name, {1, 2}, {3});
  }
  // Ports of the hosts in both zones.
  void give(const std::string& name, const std::vector<uint16_t>& a, const std::vector<uint16_t>& b) {
    cluster::Assignment assignment;
    assignment.drop_categories = "lb";
    assignment.localities.resize(2);
    assignment.localities[0].locality = {"r", "a", ""};
    assignment.localities[1].locality = {"r", "b", "s"};
    assignment.localities[1].priority = 1;
    for (const uint16_t port : a) addHost(assignment.localities[0], port);
    for (const uint16_t port : b) addHost(assignment.localities[1], port);
    clusters.setAssignment({"", name + "-service"}, std::move(assignment), "1");
    sync();
  }
  static void addHost(cluster::LocalityEndpoints& locality, uint16_t port) {
    locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", port);
  }
  const cluster::HostPtr& host(const std::string& name, uint16_t port) {
    const cluster::HostSet* const hosts = clusters.hostsOf(name);
    REQUIRE(hosts != nullptr);
    for (const auto& entry : hosts->entries()) {
      if (entry.host->address().port() == port) return entry.host;
    }
    FAIL("no host at port " << port);
    return hosts->entries()[0].host;
  }
  void begin(const cluster::Host& host, int count) {
    cluster::HostStats::Row& row = host.stats().rowOf(this);
    for (int i = 0; i < count; ++i) {
      row.add(HostStat::kRqTotal);
      row.add(HostStat::kRqActive);
    }
  }
  void end(const cluster::Host& host, HostStat how, int count) {
    cluster::HostStats::Row& row = host.stats().rowOf(this);
    for (int i = 0; i < count; ++i) {
      row.add(how);
      row.sub(HostStat::kRqActive);
    }
  }
  void answered(const cluster::Host& host, HostStat how, int count) {
    begin(host, count);
    end(host, how, count);
  }
  void want(std::vector<std::string> wanted, bool endpoints = false) {
    reporter.onWanted({.all = wanted.empty(), .clusters = std::move(wanted), .endpoints = endpoints});
  }
  std::map<std::string, v3::ClusterStats> report() {
    xds::LoadStatsSource::Report out;
    reporter.takeReport(out);
    std::map<std::string, v3::ClusterStats> by_name;
    for (const v3::ClusterStats& each : out) {
      CHECK(by_name.emplace(each.cluster_name(), each).second);
    }
    return by_name;
  }

  route::ClusterNames names;
  std::unique_ptr<net::DnsResolver> resolver = net::makeDnsResolver(*main);
  ClusterManager clusters;
  event::TimePoint now{};
  LoadReporter reporter{clusters, stats, [this] { return now; }};
};

// "zone priority: succeeded failed running of issued", a part a locality.
std::string textOf(const v3::ClusterStats& stats) {
  std::string out;
  for (const v3::UpstreamLocalityStats& each : stats.upstream_locality_stats()) {
    if (!out.empty()) out += ", ";
    out += each.locality().zone() + " " + std::to_string(each.priority()) + ": " +
           std::to_string(each.total_successful_requests()) + " " + std::to_string(each.total_error_requests()) + " " +
           std::to_string(each.total_requests_in_progress()) + " of " + std::to_string(each.total_issued_requests());
  }
  return out;
}

TEST_CASE("a load report says what came of requests since the one before, by priority and locality") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 5);
  t.answered(*t.host("c", 2), HostStat::kRqError, 2);
  t.begin(*t.host("c", 3), 3);
  t.now += 2500ms;

  const v3::ClusterStats first = t.report().at("c");
  CHECK(textOf(first) == "a 0: 5 2 0 of 7, b 1: 0 0 3 of 3");
  CHECK(first.cluster_service_name() == "c-service");
  CHECK(first.load_report_interval().seconds() == 2);
  CHECK(first.load_report_interval().nanos() == 500'000'000);
  CHECK(first.upstream_locality_stats(1).locality().region() == "r");
  CHECK(first.upstream_locality_stats(1).locality().sub_zone() == "s");
  CHECK(first.upstream_locality_stats(0).upstream_endpoint_stats_size() == 0);

  t.end(*t.host("c", 3), HostStat::kRqSuccess, 1);
  t.now += 1s;
  const v3::ClusterStats second = t.report().at("c");
  CHECK(textOf(second) == "b 1: 1 0 2 of 0");
  CHECK(second.load_report_interval().seconds() == 1);
}

TEST_CASE("clusters that are asked for by name are reported whatever happened, of all those in which something did") {
  LoadTest t;
  t.add("c");
  t.add("quiet");
  t.want({"quiet", "absent"});
  CHECK(t.report().size() == 1);
  CHECK(t.report().contains("quiet"));

  t.want({});
  CHECK(t.report().empty());
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 1);
  CHECK(t.report().size() == 1);
  CHECK(t.report().empty());
}

TEST_CASE("a time in which nothing was reported of a cluster is not in its next interval") {
  LoadTest t;
  t.add("c");
  t.want({});
  t.now += 1h;
  t.report();
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 1);
  t.now += 10s;
  CHECK(t.report().at("c").load_report_interval().seconds() == 10);
}

TEST_CASE("what happened before anybody wanted to know is not reported, what a new cluster did is") {
  LoadTest t;
  t.add("c");
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 9);
  t.cells.add(t.clusters.find("c")->stats.rq_drop_overload, 9);
  t.want({});
  CHECK(t.report().empty());

  t.add("new");
  t.answered(*t.host("new", 1), HostStat::kRqSuccess, 4);
  CHECK(textOf(t.report().at("new")) == "a 0: 4 0 0 of 4");
}

TEST_CASE("other settings, or a new stream, lose no counts of what is still wanted") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 2);
  t.now += 3s;
  t.want({});
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 1);
  t.now += 1s;

  const v3::ClusterStats stats = t.report().at("c");
  CHECK(textOf(stats) == "a 0: 3 0 0 of 3");
  CHECK(stats.load_report_interval().seconds() == 4);
}

TEST_CASE("a host that comes and leaves between two reports is in the next one") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  t.report();
  t.give("c", {1, 2, 7}, {3});
  t.answered(*t.host("c", 7), HostStat::kRqSuccess, 6);
  t.give("c", {1, 2}, {3});
  CHECK(textOf(t.report().at("c")) == "a 0: 6 0 0 of 6");
  CHECK(textOf(t.report().at("c")).empty());
}

TEST_CASE("a host that has left is reported until what runs there is over") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  const cluster::HostPtr host = t.host("c", 3);
  t.begin(*host, 2);
  t.give("c", {1, 2}, {});
  for (int i = 0; i < 4; ++i) t.report();
  CHECK(textOf(t.report().at("c")) == "b 1: 0 0 2 of 0");
  t.end(*host, HostStat::kRqError, 2);
  CHECK(textOf(t.report().at("c")) == "b 1: 0 2 0 of 0");
  CHECK(textOf(t.report().at("c")).empty());
}

TEST_CASE("a host counts where it is when the report is made") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  t.answered(*t.host("c", 2), HostStat::kRqSuccess, 1);
  t.give("c", {1}, {2, 3});
  t.answered(*t.host("c", 2), HostStat::kRqSuccess, 1);
  CHECK(textOf(t.report().at("c")) == "b 1: 2 0 0 of 2");
}

TEST_CASE("a cluster that is removed is reported once more, and goes on where it comes again") {
  LoadTest t;
  t.add("c");
  t.want({"c"});
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 3);
  t.clusters.remove("c");
  REQUIRE(t.clusters.find("c") == nullptr);
  CHECK(textOf(t.report().at("c")) == "a 0: 3 0 0 of 3");
  CHECK(t.report().empty());
  CHECK(t.report().empty());

  t.add("c");
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 2);
  t.cells.add(t.clusters.find("c")->stats.rq_drop_overload, 1);
  t.clusters.remove("c");
  t.add("c");
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 5);
  t.cells.add(t.clusters.find("c")->stats.rq_drop_overload, 1);
  const v3::ClusterStats stats = t.report().at("c");
  CHECK(textOf(stats) == "a 0: 7 0 0 of 7");
  CHECK(stats.total_dropped_requests() == 2);
}

TEST_CASE("requests that were not sent are in a load report, those for drop_overloads by category") {
  LoadTest t;
  t.add("c");
  t.want({});
  const cluster::ClusterStats& counters = t.clusters.find("c")->stats;
  t.cells.add(counters.rq_drop_overload, 3);
  t.cells.add(counters.rq_pending_overflow, 2);
  t.cells.add(counters.rq_overflow, 1);

  const v3::ClusterStats stats = t.report().at("c");
  CHECK(stats.total_dropped_requests() == 6);
  REQUIRE(stats.dropped_requests_size() == 1);
  CHECK(stats.dropped_requests(0).category() == "lb");
  CHECK(stats.dropped_requests(0).dropped_count() == 3);
  CHECK(t.report().empty());
}

TEST_CASE("hosts are reported one by one where the server asks for it") {
  LoadTest t;
  t.add("c");
  t.want({"c"}, true);
  t.answered(*t.host("c", 1), HostStat::kRqSuccess, 1);
  t.answered(*t.host("c", 2), HostStat::kRqError, 2);
  cluster::HostStats::Row& row = t.host("c", 2)->stats().rowOf(&t);
  row.add(HostStat::kCxTotal);
  row.add(HostStat::kCxActive);

  const v3::ClusterStats stats = t.report().at("c");
  CHECK(textOf(stats) == "a 0: 1 2 0 of 3");
  const v3::UpstreamLocalityStats& zone = stats.upstream_locality_stats(0);
  CHECK(zone.total_new_connections() == 1);
  CHECK(zone.total_active_connections() == 1);
  REQUIRE(zone.upstream_endpoint_stats_size() == 2);
  std::map<uint32_t, uint64_t> issued;
  for (const auto& each : zone.upstream_endpoint_stats()) {
    CHECK(each.address().socket_address().address() == "10.0.0.1");
    issued[each.address().socket_address().port_value()] = each.total_issued_requests();
  }
  CHECK(issued == std::map<uint32_t, uint64_t>{{1, 1}, {2, 2}});
}

}  // namespace
}  // namespace sluice::server
