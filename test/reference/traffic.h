// Which share of a cluster's traffic each host gets: slow, and in the words of the documentation.
//
// (docs: Envoy, "Priority levels", "Degraded endpoints", "Panic threshold", "Locality weighted load balancing")
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "test/reference/scenario.h"

namespace sluice::reference {

// A part of the traffic that certain hosts of one priority share.
struct Load {
  uint32_t priority;
  uint32_t percent;
  bool panic;  // all hosts of the priority, whatever their health
  Health health = Health::kHealthy;
};

class Traffic {
 public:
  explicit Traffic(const Scenario& scenario) : assignment_(scenario.assignment), options_(scenario.options) {
    for (const LocalityEndpoints& locality : assignment_.localities) {
      priorities_ = std::max(priorities_, locality.priority + 1);
    }
    findLoads();
  }

  // What gets traffic, first healthy hosts by priority, then degraded ones.
  std::vector<Load> loads() const { return loads_; }

  // By address. Hosts that get nothing are not there.
  std::map<std::string, double> shares() const {
    std::map<std::string, double> out;
    for (const Load& load : loads_) {
      for (const auto& [address, share] : sharesWithin(load)) out[address] += share * load.percent / 100.0;
    }
    return out;
  }

  // Of the hosts that share one load; the sum is 1.
  std::map<std::string, double> sharesWithin(const Load& load) const {
    std::map<std::string, double> out;
    double all = 0;
    for (const LocalityEndpoints& locality : assignment_.localities) {
      if (locality.priority == load.priority) all += effectiveWeight(locality, load);
    }
    double weights = 0;
    for (const LocalityEndpoints& locality : assignment_.localities) {
      if (locality.priority == load.priority) weights += weightOf(locality, load);
    }
    for (const LocalityEndpoints& locality : assignment_.localities) {
      if (locality.priority != load.priority) continue;
      for (const Endpoint& endpoint : locality.endpoints) {
        if (!serves(endpoint, load)) continue;
        const double share = all > 0
                                 ? effectiveWeight(locality, load) / all * endpoint.weight / weightOf(locality, load)
                                 : endpoint.weight / weights;
        if (share > 0) out[endpoint.address.toString()] = share;
      }
    }
    return out;
  }

  bool serves(const Endpoint& endpoint, const Load& load) const { return load.panic || endpoint.health == load.health; }

 private:
  int count(uint32_t priority, Health health) const {
    int out = 0;
    for (const LocalityEndpoints& locality : assignment_.localities) {
      if (locality.priority != priority) continue;
      for (const Endpoint& endpoint : locality.endpoints) out += endpoint.health == health;
    }
    return out;
  }
  int count(uint32_t priority) const {
    int out = 0;
    for (const LocalityEndpoints& locality : assignment_.localities) {
      if (locality.priority == priority) out += static_cast<int>(locality.endpoints.size());
    }
    return out;
  }

  // "health(P) = min(100, 140 * available / total)", in whole percent.
  int healthOf(uint32_t priority, Health health) const {
    const int hosts = count(priority), factor = static_cast<int>(assignment_.overprovisioning_factor);
    return hosts == 0 ? 0 : std::min(100, factor * count(priority, health) / hosts);
  }

  // Below the threshold all hosts of a priority are used, unless the priorities together can take everything.
  bool inPanic(uint32_t priority, int normalized) const {
    if (normalized == 100 || options_.panic_threshold == 0 || count(priority) == 0) return false;
    const int available = count(priority, Health::kHealthy) + count(priority, Health::kDegraded);
    return 100.0 * available / count(priority) < options_.panic_threshold;
  }

  void findLoads() {
    int normalized = 0;
    for (uint32_t p = 0; p < priorities_; ++p) {
      normalized += healthOf(p, Health::kHealthy) + healthOf(p, Health::kDegraded);
    }
    normalized = std::min(normalized, 100);
    bool all_in_panic = true;
    for (uint32_t p = 0; p < priorities_; ++p) all_in_panic &= inPanic(p, normalized) || count(p) == 0;
    if (all_in_panic && options_.panic_threshold > 0) return spreadByHosts();
    int left = 100;
    for (const Health health : {Health::kHealthy, Health::kDegraded}) {
      for (uint32_t p = 0; p < priorities_; ++p) {
        if (healthOf(p, health) == 0) continue;
        const int percent = std::min(left, healthOf(p, health) * 100 / normalized);
        left -= percent;
        loads_.push_back({p, static_cast<uint32_t>(percent), inPanic(p, normalized), health});
      }
    }
    giveRest(left);
  }

  // "If all priorities are in panic, traffic is spread by their numbers of hosts."
  void spreadByHosts() {
    int hosts = 0, left = 100;
    for (uint32_t p = 0; p < priorities_; ++p) hosts += count(p);
    for (uint32_t p = 0; p < priorities_; ++p) {
      if (count(p) == 0) continue;
      const int percent = 100 * count(p) / hosts;
      left -= percent;
      loads_.push_back({p, static_cast<uint32_t>(percent), true});
    }
    giveRest(left);
  }

  // What whole percents leave goes to the first.
  void giveRest(int left) {
    if (!loads_.empty()) loads_.front().percent += static_cast<uint32_t>(left);
    std::erase_if(loads_, [](const Load& load) { return load.percent == 0; });
  }

  // Of the endpoints that serve.
  double weightOf(const LocalityEndpoints& locality, const Load& load) const {
    double out = 0;
    for (const Endpoint& endpoint : locality.endpoints) out += serves(endpoint, load) ? endpoint.weight : 0;
    return out;
  }

  // "availability(L) = 140 * available / total", "effective_weight(L) = weight * min(100, availability)". Panic knows
  // no localities. If no locality with a weight has a host that serves, all that serve share the traffic.
  double effectiveWeight(const LocalityEndpoints& locality, const Load& load) const {
    if (!options_.locality_weighted || load.panic || locality.endpoints.empty()) return 0;
    double serving = 0;
    for (const Endpoint& endpoint : locality.endpoints) serving += serves(endpoint, load);
    const double availability =
        assignment_.overprovisioning_factor * serving / static_cast<double>(locality.endpoints.size());
    return locality.weight * std::min(100.0, availability);
  }

  const Assignment& assignment_;
  const HostSetOptions& options_;
  uint32_t priorities_ = 0;
  std::vector<Load> loads_;
};

}  // namespace sluice::reference
