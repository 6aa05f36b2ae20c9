#include "source/upstream/cluster/zone_routing.h"

#include <algorithm>

#include "source/upstream/cluster/host_set.h"

namespace sluice::upstream::cluster {

namespace {

uint64_t sizeOf(const ZoneMap& zones, bool by_weight) {
  uint64_t sum = 0;
  for (const auto& [zone, hosts] : zones) sum += hosts.size(by_weight);
  return sum;
}

ZoneObstacle obstacleOf(const ZoneAware& settings, const LocalZones& local, const ZoneMap& zones) {
  if (zones.size() < 2) return ZoneObstacle::kOneZone;
  if (!local.zones.contains(local.own)) return ZoneObstacle::kLocalClusterNotOk;
  if (local.zones.size() < 2 && !settings.force_from) return ZoneObstacle::kNumberDiffers;
  const bool too_small = sizeOf(zones, false) < settings.min_cluster_size;
  return too_small ? ZoneObstacle::kClusterTooSmall : ZoneObstacle::kNone;
}

// Splits what is routed by zones. One use.
class Splitter {
 public:
  Splitter(const ZoneAware& settings, const LocalZones& local, const ZoneMap& zones)
      : settings_(settings),
        local_(local),
        zones_(zones),
        here_(static_cast<double>(std::max<uint64_t>(1, sizeOf(zones, settings.by_weight)))),
        there_(static_cast<double>(std::max<uint64_t>(1, sizeOf(local.zones, settings.by_weight)))) {}

  std::vector<ZoneShares::Share> split() {
    const auto own = zones_.find(local_.own);
    const double direct = own == zones_.end() ? 0 : directShare(own->first, own->second);
    if (direct == 1) return {{&own->first, 1, ZoneRoute::kAllDirectly}};
    if (direct > 0) add(&own->first, direct, ZoneRoute::kSampled);
    addOthers(1 - direct);
    return std::move(out_);
  }

 private:
  // Of the requests that begin in the own zone.
  double directShare(const Locality& zone, const ZoneHosts& hosts) const {
    if (hosts.healthy == 0) return 0;
    if (settings_.force_from && hosts.healthy >= *settings_.force_from) return 1;
    const double upstream = upstreamShare(hosts), local = localShare(zone);
    return upstream >= local ? 1 : upstream / local;
  }

  void addOthers(double share) {
    double sum = 0;
    for (const auto& [zone, hosts] : zones_) sum += room(zone, hosts);
    // Where the own zone has no host in either cluster the others may have none to spare.
    if (sum <= 0) return add(nullptr, share, ZoneRoute::kNoCapacityLeft);
    for (const auto& [zone, hosts] : zones_) {
      const double part = room(zone, hosts);
      if (part > 0) add(&zone, share * part / sum, ZoneRoute::kCrossZone);
    }
  }

  double room(const Locality& zone, const ZoneHosts& hosts) const {
    return zone == local_.own || hosts.healthy == 0 ? 0 : std::max(0.0, upstreamShare(hosts) - localShare(zone));
  }
  double upstreamShare(const ZoneHosts& hosts) const {
    return static_cast<double>(hosts.size(settings_.by_weight)) / here_;
  }
  double localShare(const Locality& zone) const {
    const auto found = local_.zones.find(zone);
    return found == local_.zones.end() ? 0 : static_cast<double>(found->second.size(settings_.by_weight)) / there_;
  }

  void add(const Locality* zone, double weight, ZoneRoute route) { out_.push_back({zone, weight, route}); }

  const ZoneAware& settings_;
  const LocalZones& local_;
  const ZoneMap& zones_;
  const double here_, there_;  // of all zones
  std::vector<ZoneShares::Share> out_;
};

}  // namespace

LocalZones localZonesOf(const HostSet& hosts, const Locality& own) {
  LocalZones out{own, {}, 0};
  uint64_t available = 0, counted = 0;
  for (const HostSet::Entry& entry : hosts.entries()) {
    if (entry.priority != 0) continue;
    ZoneHosts& zone = out.zones[*entry.locality];
    counted += !entry.excluded;
    available += entry.health <= Health::kDegraded;
    if (entry.health != Health::kHealthy) continue;
    ++zone.healthy;
    zone.weight += entry.weight;
  }
  if (counted > 0) out.available_percent = 100.0 * static_cast<double>(available) / static_cast<double>(counted);
  return out;
}

ZoneShares splitByZones(const ZoneAware& settings, const LocalZones& local, const ZoneMap& zones,
                        double panic_threshold) {
  ZoneShares out{obstacleOf(settings, local, zones), {}};
  if (out.obstacle != ZoneObstacle::kNone || settings.enabled <= 0) return out;
  if (local.available_percent < panic_threshold) {
    out.shares.push_back({nullptr, 1, ZoneRoute::kLocalClusterNotOk});
  } else {
    out.shares = Splitter(settings, local, zones).split();
  }
  if (settings.enabled >= 1) return out;
  for (ZoneShares::Share& share : out.shares) share.weight *= settings.enabled;
  out.shares.push_back({nullptr, 1 - settings.enabled, ZoneRoute::kNone});
  return out;
}

}  // namespace sluice::upstream::cluster
