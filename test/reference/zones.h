// What routing by zones makes of the shares of a cluster's hosts: slow, and in the words of the documentation, in whole
// numbers of hosts or weights as far as it goes.
//
// (docs: Envoy, "Zone aware routing")
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "test/reference/scenario.h"

namespace sluice::reference {

using upstream::cluster::ZoneAware;

// The originating cluster and what is set; this process is in zone `own`. All localities of both have names of one
// letter.
struct ZoneScenario {
  Scenario upstream;  // of one priority
  Assignment originating;
  ZoneAware settings;
  std::string own;
};

class Zones {
 public:
  explicit Zones(const ZoneScenario& scenario) : it_(scenario) {}

  // "Zone aware routing requires all of the following conditions", but for panic of the upstream cluster.
  bool possible() const {
    const auto upstream = hosts(it_.upstream.assignment), originating = hosts(it_.originating);
    if (upstream.size() < 2) return false;
    if (!originating.contains(it_.own)) return false;
    if (originating.size() < 2 && !it_.settings.force_from) return false;
    uint64_t healthy = 0;
    for (const auto& [zone, all] : upstream) healthy += count(all, false);
    return healthy >= it_.settings.min_cluster_size && it_.settings.enabled > 0 && !originatingPanics();
  }

  // Of the requests that are routed by zones, the share of each host by address.
  std::map<std::string, double> shares() const {
    const auto upstream = hosts(it_.upstream.assignment);
    std::map<std::string, double> out;
    for (const auto& [zone, share] : zoneShares()) {
      double weights = 0;
      for (const Endpoint& endpoint : upstream.at(zone)) weights += well(endpoint) ? endpoint.weight : 0;
      for (const Endpoint& endpoint : upstream.at(zone)) {
        if (well(endpoint) && share > 0) out[endpoint.address.toString()] += share * endpoint.weight / weights;
      }
    }
    return out;
  }

  // There is room in no zone: any host will do.
  bool nowhere() const { return zoneShares().empty(); }

 private:
  using ByZone = std::map<std::string, std::vector<Endpoint>>;

  static bool well(const Endpoint& endpoint) { return endpoint.health == Health::kHealthy; }

  static ByZone hosts(const Assignment& assignment) {
    ByZone out;
    for (const LocalityEndpoints& locality : assignment.localities) {
      for (const Endpoint& endpoint : locality.endpoints) out[locality.locality.zone].push_back(endpoint);
    }
    return out;
  }

  static uint64_t count(const std::vector<Endpoint>& endpoints, bool weights) {
    uint64_t out = 0;
    for (const Endpoint& endpoint : endpoints) out += !well(endpoint) ? 0 : weights ? endpoint.weight : 1;
    return out;
  }

  bool originatingPanics() const {
    double all = 0, available = 0;
    for (const auto& [zone, endpoints] : hosts(it_.originating)) {
      for (const Endpoint& endpoint : endpoints) {
        ++all;
        available += well(endpoint) || endpoint.health == Health::kDegraded;
      }
    }
    return 100 * available / all < it_.upstream.options.panic_threshold;
  }

  // "Each locality's percentage is its share of healthy hosts (or host weight)."
  static std::map<std::string, double> percentages(const ByZone& zones, bool weights) {
    double sum = 0;
    for (const auto& [zone, endpoints] : zones) sum += static_cast<double>(count(endpoints, weights));
    std::map<std::string, double> out;
    for (const auto& [zone, endpoints] : zones) {
      out[zone] = sum == 0 ? 0 : 100 * static_cast<double>(count(endpoints, weights)) / sum;
    }
    return out;
  }

  std::map<std::string, double> zoneShares() const {
    const ByZone zones = hosts(it_.upstream.assignment);
    auto here = percentages(zones, it_.settings.by_weight);
    auto there = percentages(hosts(it_.originating), it_.settings.by_weight);
    // "100% of traffic from the local zone is routed to the local zone of the upstream cluster."
    const uint64_t own = zones.contains(it_.own) ? count(zones.at(it_.own), false) : 0;
    const bool forced = it_.settings.force_from && own >= *it_.settings.force_from;
    if (own > 0 && (forced || here[it_.own] >= there[it_.own] - 1e-9)) return {{it_.own, 1.0}};
    // "local_percent_to_route = upstream_local_pct / originating_local_pct"
    std::map<std::string, double> out;
    const double direct = own > 0 ? here[it_.own] / there[it_.own] : 0;
    // "residual[i] = max(0, upstream_pct[i] - originating_pct[i])"
    double sum = 0;
    for (const auto& [zone, endpoints] : zones) sum += zone == it_.own ? 0 : residual(here[zone], there[zone]);
    if (sum < 1e-6) return {};
    for (const auto& [zone, endpoints] : zones) {
      out[zone] = zone == it_.own ? direct : (1 - direct) * residual(here[zone], there[zone]) / sum;
    }
    return out;
  }

  static double residual(double upstream, double originating) { return std::max(0.0, upstream - originating); }

  const ZoneScenario& it_;
};

}  // namespace sluice::reference
