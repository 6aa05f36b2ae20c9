// Ejection and active checks against the reference.
#include <catch2/catch.hpp>
#include <set>

#include "source/event/simulated_loop.h"
#include "source/upstream/health/check_state.h"
#include "source/upstream/health/outlier_detector.h"
#include "test/reference/ejection.h"
#include "test/reference/scenario.h"
#include "test/reference/seeds.h"

using namespace std::chrono_literals;

namespace sluice::reference {
namespace {

using upstream::cluster::HealthInput;
using upstream::cluster::HostMonitor;
using upstream::cluster::HostMonitors;
using upstream::cluster::HostSet;
using upstream::cluster::HostSetPtr;
using upstream::cluster::HostStat;
using upstream::health::CheckState;
using upstream::health::OutlierDetector;

OutlierConfig randomConfig(base::Random& random) {
  OutlierConfig config;
  config.interval = std::chrono::seconds(1 + random.below(5));
  const auto base = static_cast<int>(1 + random.below(6));
  config.base_ejection_time = std::chrono::seconds(base);
  config.max_ejection_time = std::chrono::seconds(static_cast<uint64_t>(base) + random.below(20));
  config.max_ejection_percent = oneOf(random, {0u, 10u, 34u, 50u, 100u});
  config.always_eject_one = random.below(2) == 0;
  config.check_ends_ejection = random.below(2) == 0;
  config.split_local_origin = random.below(2) == 0;
  config.success_rate = {oneOf(random, {1u, 3u, 5u}), oneOf(random, {1u, 10u, 30u})};
  config.failure_percentage = {oneOf(random, {1u, 2u, 5u}), oneOf(random, {1u, 10u, 30u})};
  // Not 1000: of two hosts one would be just there, and rounding would decide.
  config.success_rate_stdev_factor = oneOf(random, {900u, 1200u, 1900u});
  config.failure_percentage_threshold = oneOf(random, {20u, 50u, 85u});
  for (uint32_t& enforcing : config.enforcing) enforcing = oneOf(random, {0u, 100u, 100u});
  return config;
}

// The detector and the reference, told the same.
class Twins {
 public:
  Twins(base::Random& random, size_t hosts) : random_(random), config_(randomConfig(random)), model_(config_, hosts) {
    Assignment assignment;
    LocalityEndpoints& locality = assignment.localities.emplace_back();
    for (size_t i = 0; i < hosts; ++i) {
      locality.endpoints.emplace_back().address = *net::Address::fromIp("10.0.0.1", static_cast<uint16_t>(i + 1));
    }
    set_ = HostSet::build(assignment, {}, nullptr, &monitors_);
    detector_.setHosts(*set_);
  }

  void second() {
    loop_.advance(1s);
    ++now_;
    if (now_ % (config_.interval / 1s) == 0) model_.interval(now_);
    for (size_t i = 0; i < set_->entries().size(); ++i) act(i);
    if (random_.below(3) == 0) answerAll();
  }

  // Empty: none.
  std::string difference() {
    for (size_t i = 0; i < set_->entries().size(); ++i) {
      const bool ejected = monitor(i).opinion(HealthInput::kEjection) != Health::kHealthy;
      if (ejected != model_.hosts()[i].ejected) {
        return "host " + std::to_string(i) + (ejected ? " is" : " is not") +
               " ejected: " + monitor(i).reason(HealthInput::kEjection);
      }
    }
    int detected = 0, expected = 0;
    for (size_t i = 0; i < std::size(kNames); ++i) {
      detected += static_cast<int>(stat("ejections_detected_" + std::string(kNames[i])));
      expected += model_.detected(static_cast<Detection>(i));
      if (detected != expected) return std::string(kNames[i]) + " is detected otherwise";
    }
    return stat("ejections_overflow") == model_.overflow() ? "" : "ejections_overflow";
  }
  int now() const { return now_; }

 private:
  static constexpr const char* kNames[] = {"consecutive_5xx",
                                           "consecutive_gateway_failure",
                                           "success_rate",
                                           "consecutive_local_origin_failure",
                                           "local_origin_success_rate",
                                           "failure_percentage",
                                           "local_origin_failure_percentage"};

  HostMonitor& monitor(size_t index) { return set_->entries()[index].host->monitor(); }
  int64_t stat(const std::string& name) {
    return registry_.valueOf("cluster.c.outlier_detection." + name).value_or(-1);
  }

  void act(size_t index) {
    const uint64_t dice = random_.below(set_->entries().size() > 5 ? 200 : 12);
    if (dice == 0) {
      const Detection what = oneOf(random_, {Detection::kConsecutive5xx, Detection::kConsecutiveGatewayFailure,
                                             Detection::kConsecutiveLocalOriginFailure});
      detector_.detected(monitor(index), what);
      model_.failedInARow(index, what, now_);
    } else if (dice == 1) {
      detector_.checkPassed(monitor(index));
      model_.checkPassed(index);
    }
  }

  // Each host has another success rate, so that it is clear who is the worst.
  void answerAll() {
    std::set<double> seen, seen_local;
    for (size_t i = 0; i < set_->entries().size(); ++i) {
      answer(i, model_.host(i).answers, HostStat::kAnswerSuccess, HostStat::kAnswerFailure, seen);
      answer(i, model_.host(i).local, HostStat::kLocalSuccess, HostStat::kLocalFailure, seen_local);
    }
  }
  void answer(size_t index, Ejections::Requests& requests, HostStat good, HostStat bad, std::set<double>& seen) {
    auto& row = monitor(index).stats().rowOf(this);
    const auto add = [&](int successes, int failures) {
      for (int i = 0; i < successes; ++i) row.add(good);
      for (int i = 0; i < failures; ++i) row.add(bad);
      requests.good += successes;
      requests.bad += failures;
    };
    const bool poor = random_.below(4) == 0;
    add(static_cast<int>(random_.below(20)), static_cast<int>(random_.below(poor ? 30 : 3)));
    while (requests.count() > 0 && !seen.insert(requests.success()).second) add(1, requests.bad == 0 ? 1 : 0);
  }

  base::Random& random_;
  const OutlierConfig config_;
  Ejections model_;
  int now_ = 0;
  event::SimulatedLoop loop_;
  observability::StatsRegistry registry_;
  observability::StatsCells& cells_ = registry_.makeCells();
  HostMonitors monitors_{loop_, [] {}};
  HostSetPtr set_;
  OutlierDetector detector_{OutlierDetector::World{loop_, cells_}, "c", std::make_shared<OutlierConfig>(config_),
                            monitors_, registry_.scope("cluster", "c")};
};

void live(uint64_t seed, size_t hosts, int seconds) {
  base::Random random(seed);
  Twins twins(random, hosts != 0 ? hosts : 1 + random.below(5));
  while (twins.now() < seconds) {
    twins.second();
    CAPTURE(twins.now());
    REQUIRE(twins.difference() == "");
  }
}

}  // namespace

TEST_CASE("hosts are ejected and readmitted when the reference says, whichever detector saw them") {
  forEachSeed(300, [](uint64_t seed) { live(seed, 0, 100); });
  forEachSeed(3, [](uint64_t seed) { live(seed, 1000, 20); });
}

TEST_CASE("results of checks make of a host what its whole history says") {
  using Result = CheckHistory::Result;
  forEachSeed(2000, [](uint64_t seed) {
    base::Random random(seed);
    HealthCheckConfig config;
    config.healthy_threshold = static_cast<uint32_t>(1 + random.below(4));
    config.unhealthy_threshold = static_cast<uint32_t>(1 + random.below(4));
    const bool pending = random.below(2) == 0;
    const bool unhealthy = pending || random.below(2) == 0;
    CheckState state(config, pending, unhealthy);
    std::vector<Result> results;
    bool before = !unhealthy;
    for (int i = 0; i < 60; ++i) {
      results.push_back(oneOf(random, {Result::kPassed, Result::kPassed, Result::kPassed, Result::kFailed,
                                       Result::kFailed, Result::kFailedAtOnce}));
      const bool expected = CheckHistory::healthy(results, pending, !unhealthy, config);

      const bool changed =
          results.back() == Result::kPassed ? state.passed() : state.failed(results.back() == Result::kFailedAtOnce);

      REQUIRE(state.unhealthy() == !expected);
      REQUIRE(changed == (expected != before));
      before = expected;
    }
  });
}

}  // namespace sluice::reference
