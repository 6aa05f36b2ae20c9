#include "source/upstream/health/outlier_detector.h"

#include <catch2/catch.hpp>
#include <optional>

#include "source/event/simulated_loop.h"

using namespace std::chrono_literals;

namespace sluice::upstream::health {
namespace {

using cluster::Detection;
using cluster::Health;
using cluster::HealthInput;
using cluster::HostStat;

// A cluster of hosts on ports 1, 2, ...
struct DetectorTest {
  explicit DetectorTest(int hosts, cluster::OutlierConfig config = {}) {
    setHosts(hosts);
    detector.emplace(OutlierDetector::World{loop, cells}, "c", std::make_shared<cluster::OutlierConfig>(config),
                     monitors, registry.scope("cluster", "c"));
    detector->setHosts(*set);
  }
  void setHosts(int count) {
    cluster::Assignment assignment;
    auto& locality = assignment.localities.emplace_back();
    for (int i = 1; i <= count; ++i) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i));
    }
    set = cluster::HostSet::build(assignment, {}, set.get(), &monitors);
    if (detector) detector->setHosts(*set);
  }
  cluster::HostMonitor& host(int number) { return set->entries()[number - 1].host->monitor(); }
  void detected(int number, Detection what = Detection::kConsecutive5xx) { detector->detected(host(number), what); }
  // What hosts answered since.
  void answer(int number, int good, int bad, bool local = false) {
    auto& row = host(number).stats().rowOf(this);
    for (int i = 0; i < good; ++i) row.add(local ? HostStat::kLocalSuccess : HostStat::kAnswerSuccess);
    for (int i = 0; i < bad; ++i) row.add(local ? HostStat::kLocalFailure : HostStat::kAnswerFailure);
  }
  // "13": the first and the third.
  std::string ejected() {
    std::string out;
    for (size_t i = 1; i <= set->entries().size(); ++i) {
      if (host(static_cast<int>(i)).opinion(HealthInput::kEjection) == Health::kUnhealthy) out += std::to_string(i);
    }
    return out;
  }
  int64_t stat(const std::string& name) { return registry.valueOf("cluster.c.outlier_detection." + name).value_or(-1); }

  event::SimulatedLoop loop;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  int flips = 0;
  cluster::HostMonitors monitors{loop, [this] { ++flips; }};
  std::shared_ptr<const cluster::HostSet> set;
  std::optional<OutlierDetector> detector;
};

cluster::OutlierConfig with(std::function<void(cluster::OutlierConfig&)> change) {
  cluster::OutlierConfig config;
  config.max_ejection_percent = 100;
  change(config);
  return config;
}

TEST_CASE("a host that failed so often in a row is ejected for the base time, and back with the interval after it") {
  DetectorTest t(4, with([](auto& c) { c.base_ejection_time = 25s; }));
  t.detected(2);
  CHECK(t.ejected() == "2");
  CHECK(t.host(2).reason(HealthInput::kEjection) == "ejected (consecutive 5xx) for 25 s");
  CHECK(t.stat("ejections_active") == 1);
  CHECK(t.stat("ejections_enforced_total") == 1);
  CHECK(t.stat("ejections_detected_consecutive_5xx") == 1);
  CHECK(t.stat("ejections_enforced_consecutive_5xx") == 1);
  t.loop.advance(29s);
  CHECK(t.ejected() == "2");
  t.loop.advance(1s);
  CHECK(t.ejected() == "");
  CHECK(t.stat("ejections_active") == 0);
  CHECK(t.host(2).reason(HealthInput::kEjection) == "no longer ejected: its time is over");
  CHECK(t.flips == 2);
}

TEST_CASE("each further ejection is longer, up to the longest, and intervals without one take it back") {
  DetectorTest t(2, with([](auto& c) {
                   c.interval = 1s;
                   c.base_ejection_time = 10s;
                   c.max_ejection_time = 25s;
                 }));
  // How long the host is out if it is ejected now.
  const auto out = [&t] {
    t.detected(1);
    int seconds = 0;
    while (t.ejected() == "1") {
      t.loop.advance(1s);
      ++seconds;
    }
    return seconds;
  };
  CHECK(out() == 10);
  CHECK(out() == 20);
  CHECK(out() == 25);
  t.loop.advance(2s);
  CHECK(out() == 20);
  t.loop.advance(60s);
  CHECK(out() == 10);
  for (int i = 0; i < 20; ++i) out();
  t.loop.advance(4s);
  CHECK(out() == 10);
}

TEST_CASE("a host that was ejected many times is soon ejected for the shortest time again") {
  DetectorTest t(1, with([](auto& c) {
                   c.interval = 1s;
                   c.base_ejection_time = 1s;
                   c.max_ejection_time = 3s;
                 }));
  for (int i = 0; i < 50; ++i) {
    t.detected(1);
    while (t.ejected() == "1") t.loop.advance(1s);
  }
  t.loop.advance(5s);

  t.detected(1);
  t.loop.advance(1s);

  CHECK(t.ejected() == "");
}

TEST_CASE("jitter makes an ejection longer by chance") {
  DetectorTest t(1, with([](auto& c) {
                   c.interval = 1s;
                   c.base_ejection_time = 1s;
                   c.max_ejection_time = 1s;
                   c.max_ejection_time_jitter = 20s;
                 }));
  int longest = 0;
  for (int i = 0; i < 20; ++i) {
    t.detected(1);
    int seconds = 0;
    for (; t.ejected() == "1"; ++seconds) t.loop.advance(1s);
    longest = std::max(longest, seconds);
  }
  CHECK(longest > 5);
  CHECK(longest <= 21);
}

TEST_CASE("one host of a cluster of any size may be ejected, more only within the percentage") {
  for (int size = 1; size <= 5; ++size) {
    DetectorTest t(size, [] {
      cluster::OutlierConfig config;
      config.max_ejection_percent = 40;
      return config;
    }());
    for (int i = 1; i <= size; ++i) t.detected(i);
    const std::string expected = size == 5 ? "12" : "1";
    CAPTURE(size);
    CHECK(t.ejected() == expected);
    CHECK(t.stat("ejections_overflow") == size - static_cast<int64_t>(expected.size()));
    if (size > 2) {
      CHECK(t.host(size).reason(HealthInput::kEjection) ==
            "not ejected (consecutive 5xx): " + std::to_string(expected.size()) + " of " + std::to_string(size) +
                " hosts are, one more would exceed 40%");
    }
  }
}

TEST_CASE("without always_eject_one a cluster that is too small for the percentage ejects nobody") {
  DetectorTest t(3, [] {
    cluster::OutlierConfig config;
    config.always_eject_one = false;
    return config;
  }());
  t.detected(1);
  CHECK(t.ejected() == "");
  CHECK(t.stat("ejections_overflow") == 1);
}

TEST_CASE("what is not enforced is counted as detected only") {
  DetectorTest t(3, with([](auto& c) { c.enforcing[static_cast<size_t>(Detection::kConsecutive5xx)] = 0; }));
  t.detected(1);
  CHECK(t.ejected() == "");
  CHECK(t.stat("ejections_detected_consecutive_5xx") == 1);
  CHECK(t.stat("ejections_enforced_consecutive_5xx") == 0);
  CHECK(t.host(1).reason(HealthInput::kEjection) == "not ejected (consecutive 5xx): enforced for 0%");
}

TEST_CASE("a report begins the streak anew, and one of an ejected host or one that left does nothing") {
  DetectorTest t(2, with([](auto&) {}));
  t.host(1).streaks().of_5xx = 5;
  t.detected(1);
  CHECK(t.host(1).streaks().of_5xx == 0);
  t.host(1).streaks().of_5xx = 5;
  t.detected(1);
  CHECK(t.host(1).streaks().of_5xx == 0);
  CHECK(t.stat("ejections_detected_consecutive_5xx") == 1);
  const auto gone = t.set->entries()[1].host;
  t.setHosts(1);
  t.detector->detected(gone->monitor(), Detection::kConsecutive5xx);
  CHECK(t.stat("ejections_detected_consecutive_5xx") == 1);
}

TEST_CASE("a host whose success rate is far below the others' is ejected, if enough hosts had enough requests") {
  DetectorTest t(6, with([](auto&) {}));
  for (int i = 1; i <= 5; ++i) t.answer(i, 100, 0);
  t.answer(6, 50, 50);
  t.loop.advance(10s);
  // Mean 91.67, deviation 18.63.
  CHECK(t.ejected() == "6");
  CHECK(t.stat("ejections_enforced_success_rate") == 1);
  CHECK(t.detector->ratesOf(t.host(6)).success == Approx(50));
  CHECK(t.detector->thresholds().success == Approx(91.6667 - 1.9 * 18.634).margin(0.01));

  SECTION("the next interval counts from there, and an ejected host is not compared") {
    t.loop.advance(10s);
    CHECK(t.detector->ratesOf(t.host(1)).success == -1);
    CHECK(t.stat("ejections_detected_success_rate") == 1);
  }
}

TEST_CASE("success rates of too few hosts, or of too few requests, say nothing") {
  DetectorTest t(5, with([](auto&) {}));
  for (int i = 1; i <= 4; ++i) t.answer(i, 100, 0);
  t.answer(5, 0, 99);
  t.loop.advance(10s);
  CHECK(t.ejected() == "");
}

TEST_CASE("a share of failures that is too high ejects where that is enforced, however the others do") {
  const auto enforced = with([](auto& c) {
    c.enforcing[static_cast<size_t>(Detection::kFailurePercentage)] = 100;
    c.enforcing[static_cast<size_t>(Detection::kSuccessRate)] = 0;
  });
  DetectorTest t(5, enforced);
  for (int i = 1; i <= 3; ++i) t.answer(i, 50, 0);
  t.answer(4, 8, 42);  // 84%
  t.answer(5, 7, 43);  // 86%
  t.loop.advance(10s);
  CHECK(t.ejected() == "5");
  CHECK(t.stat("ejections_enforced_failure_percentage") == 1);
}

TEST_CASE("where not all may be ejected the worst is") {
  auto config = with([](auto& c) {
    c.enforcing[static_cast<size_t>(Detection::kFailurePercentage)] = 100;
    c.enforcing[static_cast<size_t>(Detection::kSuccessRate)] = 0;
    c.max_ejection_percent = 20;
  });
  DetectorTest t(6, config);
  for (int i = 1; i <= 3; ++i) t.answer(i, 100, 0);
  t.answer(4, 10, 90);
  t.answer(5, 1, 99);
  t.answer(6, 10, 90);
  t.loop.advance(10s);
  CHECK(t.ejected() == "5");
}

TEST_CASE("failures of local origin have rates of their own") {
  DetectorTest t(6, with([](auto& c) { c.split_local_origin = true; }));
  for (int i = 1; i <= 5; ++i) t.answer(i, 100, 0, true);
  t.answer(6, 20, 80, true);
  t.loop.advance(10s);
  CHECK(t.ejected() == "6");
  CHECK(t.stat("ejections_enforced_local_origin_success_rate") == 1);
  CHECK(t.stat("ejections_detected_success_rate") == 0);
  CHECK(t.detector->ratesOf(t.host(6)).local_success == Approx(20));
}

TEST_CASE("an active check that passes ends an ejection, unless that is switched off") {
  const bool ends = GENERATE(true, false);
  DetectorTest t(2, with([ends](auto& c) { c.check_ends_ejection = ends; }));
  t.detected(1);
  t.detector->checkPassed(t.host(2));
  CHECK(t.ejected() == "1");
  t.detector->checkPassed(t.host(1));
  CHECK(t.ejected() == (ends ? "" : "1"));
}

TEST_CASE("an ejected host stays ejected when hosts and configuration change, and is forgotten when it leaves") {
  DetectorTest t(3, with([](auto&) {}));
  t.detected(1);
  t.detected(3);
  t.setHosts(4);
  CHECK(t.ejected() == "13");
  t.detector->setConfig(std::make_shared<cluster::OutlierConfig>());
  CHECK(t.ejected() == "13");
  t.setHosts(2);
  CHECK(t.ejected() == "1");
  CHECK(t.stat("ejections_active") == 1);
  t.setHosts(3);
  CHECK(t.ejected() == "1");
}

TEST_CASE("configurations that come more often than intervals end keep nobody ejected") {
  const auto config = with([](auto& c) { c.base_ejection_time = 10s; });
  DetectorTest t(2, config);
  t.detected(1);
  for (int i = 0; i < 5; ++i) {
    t.loop.advance(6s);
    t.detector->setConfig(std::make_shared<cluster::OutlierConfig>(config));
  }
  CHECK(t.ejected() == "");
}

TEST_CASE("nobody stays ejected when the detector goes") {
  DetectorTest t(3, with([](auto&) {}));
  t.detected(1);
  t.detector.reset();
  CHECK(t.ejected() == "");
  CHECK(t.flips == 0);
  t.loop.settle();
  CHECK(t.flips == 1);
}

TEST_CASE("each ejection and its end is a line of JSON") {
  observability::StatsRegistry registry;
  observability::LogFiles files(registry);
  observability::LogSink sink(files);
  const std::string path = std::string(getenv("TEST_TMPDIR") ? getenv("TEST_TMPDIR") : "/tmp") + "/outliers.log";
  DetectorTest t(2, with([](auto&) {}));
  auto config = with([&](auto& c) { c.log = *files.open(path); });
  const auto wall_now = [&loop = t.loop, start = t.loop.now()] {
    return std::chrono::system_clock::time_point(1'000'000'000s) + (loop.now() - start);
  };
  t.detector.emplace(OutlierDetector::World{t.loop, t.cells, {&sink, wall_now}}, "c",
                     std::make_shared<cluster::OutlierConfig>(config), t.monitors, t.registry.scope("cluster", "c"));
  t.detector->setHosts(*t.set);
  t.detected(1, Detection::kConsecutiveGatewayFailure);
  t.loop.advance(100s);
  files.flush();
  std::string text;
  if (FILE* file = fopen(path.c_str(), "r")) {
    char buffer[4096];
    text.assign(buffer, fread(buffer, 1, sizeof(buffer), file));
    fclose(file);
  }
  // enforcing_consecutive_gateway_failure is 0.
  CHECK(
      text.find("{\"timestamp\":\"2001-09-09T01:46:40.000Z\",\"secs_since_last_action\":\"0\",\"cluster_name\":\"c\","
                "\"upstream_url\":\"10.0.0.1:1\","
                "\"type\":\"CONSECUTIVE_GATEWAY_FAILURE\",\"action\":\"EJECT\",\"num_ejections\":0,\"enforced\":false,"
                "\"eject_consecutive_event\":{}}\n") != std::string::npos);
  t.detected(2);
  t.loop.advance(100s);
  files.flush();
  if (FILE* file = fopen(path.c_str(), "r")) {
    char buffer[4096];
    text.assign(buffer, fread(buffer, 1, sizeof(buffer), file));
    fclose(file);
  }
  CHECK(
      text.find("\"upstream_url\":\"10.0.0.1:2\",\"type\":\"CONSECUTIVE_5XX\",\"action\":\"EJECT\",\"num_ejections\":1,"
                "\"enforced\":true,") != std::string::npos);
  CHECK(text.find("{\"timestamp\":\"2001-09-09T01:48:50.000Z\",\"secs_since_last_action\":\"30\",\"cluster_name\":"
                  "\"c\",\"upstream_url\":\"10.0.0.1:2\","
                  "\"action\":\"UNEJECT\",\"num_ejections\":1}\n") != std::string::npos);
}

}  // namespace
}  // namespace sluice::upstream::health
