// What is counted of routing by zones, of one cluster. (docs: Envoy, "Load balancer statistics") Handles only; made on
// main.
#pragma once

#include "source/observability/stats.h"
#include "source/upstream/cluster/zone_routing.h"

namespace sluice::upstream::lb {

struct ZoneStats {
  // Sets of hosts that were split by zones, or were to be.
  observability::Counter recalculate_zone_structures, local_cluster_not_ok, zone_number_differs, zone_cluster_too_small;
  // Choices of hosts; local_cluster_not_ok, too.
  observability::Counter routing_all_directly, routing_sampled, routing_cross_zone, no_capacity_left;

  // Main: a set of hosts was built.
  void countBuilt(cluster::ZoneObstacle obstacle, observability::StatsCells& cells) const {
    cells.add(recalculate_zone_structures);
    if (obstacle == cluster::ZoneObstacle::kLocalClusterNotOk) cells.add(local_cluster_not_ok);
    if (obstacle == cluster::ZoneObstacle::kNumberDiffers) cells.add(zone_number_differs);
    if (obstacle == cluster::ZoneObstacle::kClusterTooSmall) cells.add(zone_cluster_too_small);
  }
  // A worker: a choice fell to hosts of this route.
  void countChoice(cluster::ZoneRoute route, observability::StatsCells& cells) const {
    switch (route) {
      case cluster::ZoneRoute::kNone:
        return;
      case cluster::ZoneRoute::kAllDirectly:
        return cells.add(routing_all_directly);
      case cluster::ZoneRoute::kSampled:
        return cells.add(routing_sampled);
      case cluster::ZoneRoute::kNoCapacityLeft:
        cells.add(no_capacity_left);
        return cells.add(routing_cross_zone);
      case cluster::ZoneRoute::kCrossZone:
        return cells.add(routing_cross_zone);
      case cluster::ZoneRoute::kLocalClusterNotOk:
        return cells.add(local_cluster_not_ok);
    }
  }
};

}  // namespace sluice::upstream::lb
