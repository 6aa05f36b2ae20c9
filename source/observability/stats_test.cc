#include "source/observability/stats.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

namespace sluice::observability {
namespace {

std::string text(const StatsRegistry& registry, const StatsQuery& query = {}) {
  return *renderText(registry, query);
}
std::string prometheus(const StatsRegistry& registry, const StatsQuery& query = {}) {
  return *renderPrometheus(registry, query);
}

TEST_CASE("the same name gives the same stat, another kind of it counts nothing") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();

  const Counter a = registry.counter("server.a");

  CHECK(registry.counter("server.a").id == a.id);
  CHECK(registry.counter("server.b").id != a.id);
  const Gauge wrong = registry.gauge("server.a");
  cells.set(wrong, 7);
  CHECK(registry.valueOf("server.a") == 0);
}

TEST_CASE("a value is the sum over the cells of all threads") {
  StatsRegistry registry;
  StatsCells& one = registry.makeCells();
  StatsCells& two = registry.makeCells();
  const Counter total = registry.counter("server.total");
  const Gauge active = registry.gauge("server.active");

  one.add(total);
  two.add(total, 4);
  one.add(active, 3);
  two.sub(active, 5);

  CHECK(registry.counterValue(total) == 5);
  CHECK(registry.gaugeValue(active) == -2);
}

TEST_CASE("a default handle may be used and shows nowhere") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();

  cells.add(Counter{});
  cells.record(Histogram{}, 3);

  CHECK(text(registry).empty());
}

TEST_CASE("the stats of a scope go with the last that holds them, and count from zero when they come back") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  Scope scope = registry.scope("cluster", "backend");
  const Counter total = scope.counter("upstream_rq_total");
  const Histogram time = scope.histogram("upstream_rq_time");
  cells.add(total, 2);
  cells.record(time, 7);
  {
    Scope other = registry.scope("cluster", "backend");
    CHECK(other.counter("upstream_rq_total").id == total.id);
  }
  CHECK(registry.valueOf("cluster.backend.upstream_rq_total") == 2);
  StatsHold hold = Scope::share(std::move(scope));
  CHECK(registry.size() == 2);

  hold.reset();
  CHECK(text(registry).empty());
  CHECK(registry.size() == 0);

  Scope again = registry.scope("cluster", "other");
  CHECK(again.counter("upstream_rq_total").id == total.id);  // the cell of the one that is gone
  CHECK(registry.valueOf("cluster.other.upstream_rq_total") == 0);
  CHECK(registry.histogramValue(again.histogram("upstream_rq_time")).count == 0);
}

TEST_CASE("names that come and go cost nothing in the long run") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "c" + std::to_string(i);
    Scope root = registry.root();
    Scope scope = registry.scope("cluster", name);
    cells.add(scope.counter("upstream_rq_total"));
    cells.record(scope.histogram("upstream_rq_time"), 3);
    cells.add(root.counter("http." + name + ".downstream_rq_total"));
    const StatsHold hold = Scope::share(std::move(root));
  }
  CHECK(registry.size() == 0);
  CHECK(registry.cellsUsed() < 10);
}

TEST_CASE("a scope of whole names takes its own along, and leaves what others have") {
  StatsRegistry registry;
  const Counter own = registry.counter("server.live");
  StatsScope scope = std::make_shared<Scope>(registry.root());
  scope->counter("http.a.one");
  CHECK(scope->counter("server.live").id == own.id);
  CHECK(registry.find("http.a.one")->exposition_name == "envoy_http_one");
  CHECK(registry.find("http.a.one")->tags.at(0).value == "a");

  StatsHold hold = std::exchange(scope, nullptr);
  CHECK(registry.find("http.a.one") != nullptr);
  hold.reset();

  CHECK(registry.find("http.a.one") == nullptr);
  CHECK(registry.find("server.live") != nullptr);
}

TEST_CASE("cells are given on while workers count and let go") {
  StatsRegistry registry;
  constexpr int kWorkers = 3;
  std::vector<StatsCells*> cells;
  for (int i = 0; i < kWorkers; ++i) cells.push_back(&registry.makeCells());
  for (int round = 0; round < 200; ++round) {
    Scope scope = registry.scope("cluster", "c" + std::to_string(round));
    const Counter counter = scope.counter("upstream_rq_total");
    REQUIRE(registry.counterValue(counter) == 0);
    StatsHold hold = Scope::share(std::move(scope));
    std::vector<std::thread> workers;
    for (StatsCells* mine : cells) {
      workers.emplace_back([mine, counter, held = hold]() mutable {
        for (int i = 0; i < 50; ++i) mine->add(counter);
        held.reset();
      });
    }
    hold.reset();
    for (std::thread& worker : workers) worker.join();
    REQUIRE(registry.size() == 0);
  }
}

TEST_CASE("a histogram's buckets tile the values without gap or overlap") {
  uint64_t next = 0;
  for (size_t i = 0; i < HistogramCells::kBuckets; ++i) {
    const auto [low, high] = HistogramCells::boundsOf(i);
    REQUIRE(low == next);
    REQUIRE(HistogramCells::bucketOf(low) == i);
    REQUIRE(HistogramCells::bucketOf(high) == i);
    next = high + 1;
  }
  CHECK(next == uint64_t{1} << 32);
  CHECK(HistogramCells::bucketOf(~uint64_t{0}) == HistogramCells::kBuckets - 1);
}

TEST_CASE("histograms give quantiles and cumulative counts over all threads") {
  StatsRegistry registry;
  StatsCells& one = registry.makeCells();
  StatsCells& two = registry.makeCells();
  const Histogram time = registry.histogram("http.ingress.downstream_rq_time");

  for (uint64_t i = 1; i <= 50; ++i) one.record(time, i);
  for (uint64_t i = 51; i <= 100; ++i) two.record(time, i);

  const HistogramSummary all = registry.histogramValue(time);
  CHECK(all.count == 100);
  CHECK(all.sum == 5050);
  CHECK(all.countUpTo(0) == 0);
  CHECK(all.countUpTo(10) == 10);
  CHECK(all.countUpTo(1000) == 100);
  CHECK(all.quantile(0) == 1);
  CHECK(all.quantile(50) >= 50);
  CHECK(all.quantile(50) <= 56);
  CHECK(HistogramSummary{}.quantile(50) == 0);
}

TEST_CASE("text lists numbers by name, then histograms") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  cells.record(registry.histogram("a.time"), 4);
  registry.histogram("b.time");
  cells.add(registry.counter("c.two"), 2);
  registry.counter("b.one");

  CHECK(text(registry) ==
        "b.one: 0\nc.two: 2\n"
        "a.time: P0(nan,4) P25(nan,4) P50(nan,4) P75(nan,4) P90(nan,4) P95(nan,4) P99(nan,4) P99.5(nan,4) "
        "P99.9(nan,4) P100(nan,4)\n"
        "b.time: No recorded values\n");
}

TEST_CASE("filter and usedonly choose stats, a bad filter is told") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  cells.add(registry.counter("a.one"));
  registry.counter("a.two");
  cells.add(registry.counter("b.one"));

  CHECK(text(registry, {"^a\\.", false}) == "a.one: 1\na.two: 0\n");
  CHECK(text(registry, {"^a\\.", true}) == "a.one: 1\n");
  CHECK_FALSE(renderText(registry, {"(", false}).has_value());
  CHECK_FALSE(renderPrometheus(registry, {"(", false}).has_value());
}

TEST_CASE("Prometheus names and tags are those of Envoy") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  Scope cluster = registry.scope("cluster", "a.b");
  Scope listener = registry.scope("listener", "127.0.0.1:80");
  Scope http = listener.scope("http", "ingress");
  cells.add(cluster.counter("upstream_rq_2xx"));
  cells.add(cluster.counter("upstream_rq_503"));
  cells.add(http.counter("downstream_rq_5xx"));
  cells.set(registry.gauge("server.live"), 1);
  cells.add(registry.counter("http.admin.downstream_rq_2xx"));

  CHECK(text(registry) ==
        "cluster.a.b.upstream_rq_2xx: 1\ncluster.a.b.upstream_rq_503: 1\nhttp.admin.downstream_rq_2xx: 1\n"
        "listener.127.0.0.1_80.http.ingress.downstream_rq_5xx: 1\nserver.live: 1\n");
  CHECK(prometheus(registry) ==
        "# TYPE envoy_cluster_upstream_rq counter\n"
        "envoy_cluster_upstream_rq{envoy_cluster_name=\"a.b\",envoy_response_code=\"503\"} 1\n"
        "# TYPE envoy_cluster_upstream_rq_xx counter\n"
        "envoy_cluster_upstream_rq_xx{envoy_cluster_name=\"a.b\",envoy_response_code_class=\"2\"} 1\n"
        "# TYPE envoy_http_downstream_rq_xx counter\n"
        "envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix=\"admin\",envoy_response_code_class=\"2\"} 1\n"
        "# TYPE envoy_listener_http_downstream_rq_xx counter\n"
        "envoy_listener_http_downstream_rq_xx{envoy_listener_address=\"127.0.0.1_80\","
        "envoy_http_conn_manager_prefix=\"ingress\",envoy_response_code_class=\"5\"} 1\n"
        "# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n");
}

TEST_CASE("a metric has one TYPE line and a histogram is cumulative") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  Scope a = registry.scope("cluster", "a");
  Scope b = registry.scope("cluster", "b");
  cells.record(a.histogram("upstream_rq_time"), 7);
  b.histogram("upstream_rq_time");

  const std::string out = prometheus(registry);

  CHECK(out.find("# TYPE") == out.rfind("# TYPE"));
  CHECK(out.find("upstream_rq_time_bucket{envoy_cluster_name=\"a\",le=\"0.5\"} 0\n") != std::string::npos);
  CHECK(out.find("upstream_rq_time_bucket{envoy_cluster_name=\"a\",le=\"10\"} 1\n") != std::string::npos);
  CHECK(out.find("upstream_rq_time_bucket{envoy_cluster_name=\"a\",le=\"3600000\"} 1\n") != std::string::npos);
  CHECK(out.find("upstream_rq_time_bucket{envoy_cluster_name=\"a\",le=\"+Inf\"} 1\n") != std::string::npos);
  CHECK(out.find("upstream_rq_time_sum{envoy_cluster_name=\"a\"} 7\n") != std::string::npos);
  CHECK(out.find("upstream_rq_time_count{envoy_cluster_name=\"b\"} 0\n") != std::string::npos);
}

TEST_CASE("a name from outside cannot forge lines or labels") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  Scope scope = registry.scope("cluster", "x\n\"} 1\nforged 2\\");
  cells.add(scope.counter("upstream_rq_total"));

  CHECK(text(registry) == "cluster.x__}_1_forged_2_.upstream_rq_total: 1\n");
  CHECK(prometheus(registry) ==
        "# TYPE envoy_cluster_upstream_rq_total counter\n"
        "envoy_cluster_upstream_rq_total{envoy_cluster_name=\"x\\n\\\"} 1\\nforged 2\\\\\"} 1\n");
}

TEST_CASE("JSON has values and histograms") {
  StatsRegistry registry;
  StatsCells& cells = registry.makeCells();
  cells.add(registry.counter("a.one"));
  registry.histogram("a.time");

  const std::string out = *renderJson(registry, {});

  CHECK(out.find("{\"stats\":[{\"name\":\"a.one\",\"value\":1},{\"histograms\":") == 0);
  CHECK(out.find("{\"name\":\"a.time\",\"values\":[{\"interval\":null,\"cumulative\":null}") != std::string::npos);
}

TEST_CASE("main reads while workers write") {
  StatsRegistry registry;
  constexpr int kWorkers = 4;
  constexpr uint64_t kRounds = 20000;
  std::vector<Counter> counters;
  for (int i = 0; i < 2000; ++i) counters.push_back(registry.counter("server.c" + std::to_string(i)));
  const Histogram time = registry.histogram("server.time");
  std::vector<StatsCells*> cells;
  for (int i = 0; i < kWorkers; ++i) cells.push_back(&registry.makeCells());
  std::atomic<int> running = kWorkers;
  std::vector<std::thread> workers;
  for (StatsCells* mine : cells) {
    workers.emplace_back([&, mine] {
      for (uint64_t i = 0; i < kRounds; ++i) {
        mine->add(counters[i % counters.size()]);
        mine->record(time, i);
      }
      --running;
    });
  }

  uint64_t last = 0;
  while (running.load() > 0) {
    const uint64_t now = registry.counterValue(counters[0]);
    REQUIRE(now >= last);
    last = now;
    registry.histogramValue(time);
  }
  for (std::thread& worker : workers) worker.join();

  CHECK(registry.counterValue(counters[0]) == kWorkers * kRounds / counters.size());
  CHECK(registry.histogramValue(time).count == kWorkers * kRounds);
}

}  // namespace
}  // namespace sluice::observability
