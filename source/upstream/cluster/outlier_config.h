// When a host is ejected for what became of requests to it, and for how long. Immutable.
// (proto: envoy.config.cluster.v3.OutlierDetection)
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace sluice::observability {
class LogFile;
}

namespace sluice::upstream::cluster {

// What was seen of a host. In Envoy's order. (proto: envoy.data.cluster.v3.OutlierEjectionType)
enum class Detection : uint8_t {
  kConsecutive5xx,
  kConsecutiveGatewayFailure,
  kSuccessRate,
  kConsecutiveLocalOriginFailure,
  kSuccessRateLocalOrigin,
  kFailurePercentage,
  kFailurePercentageLocalOrigin,
};
inline constexpr size_t kDetections = 7;

struct OutlierConfig {
  // In a row; 0: not looked at.
  uint32_t consecutive_5xx = 5;
  uint32_t consecutive_gateway_failure = 5;
  uint32_t consecutive_local_origin_failure = 5;
  // What the proxy saw itself (no connection, no answer in time) apart from what hosts answer; else it counts as such.
  bool split_local_origin = false;

  std::chrono::milliseconds interval{10'000};
  std::chrono::milliseconds base_ejection_time{30'000};
  std::chrono::milliseconds max_ejection_time{300'000};  // base_ejection_time or more
  std::chrono::milliseconds max_ejection_time_jitter{0};
  uint32_t max_ejection_percent = 10;  // of the hosts, at one time
  bool always_eject_one = true;        // whatever that says
  bool check_ends_ejection = true;     // an active check that passes does

  // A rate is looked at if so many hosts had so many requests in the interval.
  struct Enough {
    uint32_t hosts, requests;
  };
  Enough success_rate{5, 100};
  Enough failure_percentage{5, 50};
  uint32_t success_rate_stdev_factor = 1900;  // thousandths
  uint32_t failure_percentage_threshold = 85;

  // The chance that what was seen ejects, in percent; by Detection.
  std::array<uint32_t, kDetections> enforcing{100, 0, 100, 100, 100, 0, 0};

  std::shared_ptr<observability::LogFile> log;  // null: none
};

}  // namespace sluice::upstream::cluster
