// When a host is ejected, when it is back, and what active checks make of it: slow, and in the words of the
// documentation. Time is in seconds since the beginning.
//
// (docs: Envoy, "Outlier detection", "Health checking"; proto: OutlierDetection, HealthCheck)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "source/upstream/cluster/health_check_config.h"
#include "source/upstream/cluster/outlier_config.h"

namespace sluice::reference {

using upstream::cluster::Detection;
using upstream::cluster::HealthCheckConfig;
using upstream::cluster::OutlierConfig;

// Everything is enforced always or never, and there is no jitter.
class Ejections {
 public:
  struct Requests {
    int good = 0, bad = 0;
    int count() const { return good + bad; }
    double success() const { return 100.0 * good / count(); }
  };
  struct Host {
    bool ejected = false;
    int since = 0, lasts = 0;
    int multiplier = 0;       // of base_ejection_time, the last one
    Requests answers, local;  // of this interval
  };

  Ejections(const OutlierConfig& config, size_t hosts) : hosts_(hosts), config_(config) {}

  const std::vector<Host>& hosts() const { return hosts_; }
  Host& host(size_t index) { return hosts_[index]; }
  int detected(Detection what) const { return detected_[static_cast<size_t>(what)]; }
  int overflow() const { return overflow_; }

  // So many failures in a row that they detect it.
  void failedInARow(size_t index, Detection what, int now) {
    if (!hosts_[index].ejected) consider(hosts_[index], what, now);
  }
  // "A successful active health check unejects the host ... and clears all the outlier detection counters."
  void checkPassed(size_t index) {
    if (!hosts_[index].ejected || !config_.check_ends_ejection) return;
    hosts_[index].ejected = false;
    hosts_[index].multiplier = 0;
  }

  void interval(int now) {
    for (Host& host : hosts_) {
      if (!host.ejected) {
        // "If the host is healthy during that check, the multiplier is decremented."
        if (host.multiplier > 0) --host.multiplier;
      } else if (now - host.since >= host.lasts) {
        host.ejected = false;
      }
    }
    judge(&Host::answers, Detection::kSuccessRate, Detection::kFailurePercentage, now);
    if (config_.split_local_origin) {
      judge(&Host::local, Detection::kSuccessRateLocalOrigin, Detection::kFailurePercentageLocalOrigin, now);
    }
    for (Host& host : hosts_) host.answers = host.local = {};
  }

 private:
  using Kind = Requests Host::*;

  // Of those that are not ejected and had so many requests; the worst first, in any order among equals.
  std::vector<Host*> judged(Kind kind, uint32_t requests) {
    std::vector<Host*> out;
    for (Host& host : hosts_) {
      const auto count = static_cast<uint32_t>((host.*kind).count());
      if (!host.ejected && count > 0 && count >= requests) out.push_back(&host);
    }
    std::stable_sort(out.begin(), out.end(),
                     [kind](const Host* a, const Host* b) { return (a->*kind).success() < (b->*kind).success(); });
    return out;
  }

  void judge(Kind kind, Detection by_rate, Detection by_share, int now) {
    // Who is judged by the share of failures is settled before anybody is ejected for the rate.
    const std::vector<Host*> by_share_hosts = judged(kind, config_.failure_percentage.requests);
    const std::vector<Host*> hosts = judged(kind, config_.success_rate.requests);
    if (!hosts.empty() && hosts.size() >= config_.success_rate.hosts) {
      // "mean - (standard deviation * success_rate_stdev_factor)"
      double mean = 0, variance = 0;
      for (const Host* host : hosts) mean += (host->*kind).success() / static_cast<double>(hosts.size());
      for (const Host* host : hosts) {
        variance += std::pow((host->*kind).success() - mean, 2) / static_cast<double>(hosts.size());
      }
      const double threshold = mean - std::sqrt(variance) * config_.success_rate_stdev_factor / 1000.0;
      for (Host* host : hosts) {
        if ((host->*kind).success() < threshold - 1e-9) consider(*host, by_rate, now);
      }
    }
    if (by_share_hosts.size() < config_.failure_percentage.hosts) return;
    for (Host* host : by_share_hosts) {
      const double failures = 100.0 - (host->*kind).success();
      if (!host->ejected && failures >= config_.failure_percentage_threshold) consider(*host, by_share, now);
    }
  }

  // "max_ejection_percent", which lets one host be ejected if always_eject_one_host is set.
  bool mayEject() const {
    const auto ejected = std::count_if(hosts_.begin(), hosts_.end(), [](const Host& host) { return host.ejected; });
    if (ejected == 0 && config_.always_eject_one) return true;
    return 100.0 * static_cast<double>(ejected + 1) / static_cast<double>(hosts_.size()) <=
           config_.max_ejection_percent;
  }

  void consider(Host& host, Detection what, int now) {
    ++detected_[static_cast<size_t>(what)];
    if (!mayEject()) {
      ++overflow_;
      return;
    }
    if (config_.enforcing[static_cast<size_t>(what)] == 0) return;
    const auto base = static_cast<int>(config_.base_ejection_time.count() / 1000);
    const auto longest = static_cast<int>(config_.max_ejection_time.count() / 1000);
    // "base_ejection_time multiplied by the number of times the host has been ejected in a row", up to
    // max_ejection_time, from where it does not grow.
    if ((host.multiplier - 1) * base < longest) ++host.multiplier;
    host.ejected = true;
    host.since = now;
    host.lasts = std::min(base * host.multiplier, longest);
  }

  std::vector<Host> hosts_;
  const OutlierConfig& config_;
  int detected_[upstream::cluster::kDetections] = {};
  int overflow_ = 0;
};

// A host under active checks, from all results so far.
struct CheckHistory {
  enum class Result { kPassed, kFailed, kFailedAtOnce };

  // "healthy_threshold", but at the start one success is enough; "unhealthy_threshold", but an answer that is no
  // success makes unhealthy at once.
  static bool healthy(const std::vector<Result>& results, bool first_counts, bool healthy,
                      const HealthCheckConfig& config) {
    size_t since = 0;  // results that the present state has seen
    for (size_t i = 0; i < results.size(); ++i, ++since) {
      const auto last = [&](uint32_t count, bool passed) {
        if (since + 1 < count) return false;
        for (size_t j = i + 1 - count; j <= i; ++j) {
          if ((results[j] == Result::kPassed) != passed) return false;
        }
        return true;
      };
      const bool changes =
          healthy ? results[i] == Result::kFailedAtOnce || last(config.unhealthy_threshold, false)
                  : (first_counts && i == 0 && results[i] == Result::kPassed) || last(config.healthy_threshold, true);
      if (!changes) continue;
      healthy = !healthy;
      since = static_cast<size_t>(-1);  // the next one is the first that it sees
    }
    return healthy;
  }
};

}  // namespace sluice::reference
