// Routing by zones: requests stay in the zone of this process as far as the hosts there would not get more than their
// share of the requests of all zones. Where those come from, the hosts of the local cluster say, which is the one that
// this process belongs to. (docs: Envoy, "Zone aware routing"; proto: LocalityLbConfig.ZoneAwareLbConfig)
//
// With u and l as the shares of a zone in the healthy hosts of the cluster and of the local one:
//   u >= l in the own zone   it takes all requests
//   else                     it takes u / l of them; the others go to zones with u > l, by u - l
// The results are weights of groups of hosts (host_set.h). Immutable; made on main.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "source/upstream/cluster/assignment.h"

namespace sluice::upstream::cluster {

class HostSet;

// How a cluster is routed by zones.
struct ZoneAware {
  double enabled = 1;             // of the requests, 0 to 1
  uint64_t min_cluster_size = 6;  // healthy hosts
  // With so many healthy hosts or more, 1 at least, the own zone takes all requests. Not set: only by its share.
  std::optional<uint32_t> force_from;
  bool by_weight = false;  // shares are of the weights of hosts instead of their number
};

struct ZoneHosts {
  uint64_t healthy = 0;
  uint64_t weight = 0;  // of those

  uint64_t size(bool by_weight) const { return by_weight ? weight : healthy; }
  friend bool operator==(const ZoneHosts&, const ZoneHosts&) = default;
};
// Of zones that have a host, healthy or not.
using ZoneMap = std::map<Locality, ZoneHosts>;

// Where the requests of the local cluster come from: its hosts of priority 0.
struct LocalZones {
  Locality own;  // of this process
  ZoneMap zones;
  double available_percent = 0;  // of the hosts, healthy or degraded

  friend bool operator==(const LocalZones&, const LocalZones&) = default;
};
using LocalZonesPtr = std::shared_ptr<const LocalZones>;
LocalZones localZonesOf(const HostSet& hosts, const Locality& own);

// What is counted of a choice that falls to a group of hosts.
enum class ZoneRoute : uint8_t {
  kNone,               // nothing
  kAllDirectly,        // the own zone takes all
  kSampled,            // the own zone takes some, and this is one
  kCrossZone,          // another zone
  kNoCapacityLeft,     // another one or not: no zone has room
  kLocalClusterNotOk,  // any host: the local cluster is in panic
};

// Why there is no routing by zones.
enum class ZoneObstacle : uint8_t {
  kNone,               // there is
  kOneZone,            // the hosts are of one zone at most
  kLocalClusterNotOk,  // the local cluster has no host in the own zone
  kNumberDiffers,      // it has hosts in one zone only
  kClusterTooSmall,
};

struct ZoneShares {
  struct Share {
    const Locality* zone;  // of the map; null: all hosts
    double weight;         // of 1, above 0
    ZoneRoute route;
  };

  ZoneObstacle obstacle = ZoneObstacle::kNone;
  std::vector<Share> shares;  // empty: there is an obstacle
};

// `zones`: of the hosts of the cluster, which is not in panic; outlives the result. `panic_threshold`: percent.
ZoneShares splitByZones(const ZoneAware& settings, const LocalZones& local, const ZoneMap& zones,
                        double panic_threshold);

}  // namespace sluice::upstream::cluster
