// Routing by zones as clusters and policies configure it. Thread: main.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "source/config/services.h"
#include "source/upstream/cluster/zone_routing.h"

namespace sluice::config {

// What the runtime says, else `configured`. (docs: Envoy, "Zone aware load balancing" among the runtime settings of
// clusters)
inline double zoneNumber(const Services& services, std::string_view key, double configured) {
  return services.runtime == nullptr ? configured : services.runtime->number(key, configured);
}

// Of a LocalityLbConfig or a CommonLbConfig, which need not be set; nullopt: localities have weights instead. `context`
// stands at it.
template <typename Message>
std::optional<upstream::cluster::ZoneAware> zonesOf(const Message& localities, const FactoryContext& context) {
  if (localities.has_locality_weighted_lb_config()) return std::nullopt;
  const auto& proto = localities.zone_aware_lb_config();
  const Services& services = context.services;
  upstream::cluster::ZoneAware out;
  const double enabled = proto.has_routing_enabled() ? proto.routing_enabled().value() : 100;
  out.enabled = std::clamp(zoneNumber(services, "upstream.zone_routing.enabled", enabled), 0.0, 100.0) / 100;
  const auto least = proto.has_min_cluster_size() ? proto.min_cluster_size().value() : out.min_cluster_size;
  constexpr double kMost = 1e18;  // more than there are hosts; 2^64 is no uint64_t
  out.min_cluster_size = static_cast<uint64_t>(std::clamp(
      zoneNumber(services, "upstream.zone_routing.min_cluster_size", static_cast<double>(least)), 0.0, kMost));
  if constexpr (requires { proto.force_local_zone(); }) {
    using Proto = typename Message::ZoneAwareLbConfig;
    out.by_weight = proto.locality_basis() == Proto::HEALTHY_HOSTS_WEIGHT;
    if (!Proto::LocalityBasis_IsValid(proto.locality_basis())) {
      context.at.child("zone_aware_lb_config")
          .child("locality_basis")
          .error("has to be HEALTHY_HOSTS_NUM or HEALTHY_HOSTS_WEIGHT");
    }
    if (proto.has_force_local_zone() || proto.force_locality_direct_routing()) {
      const auto& force = proto.force_local_zone();
      const double from = force.has_min_size() ? force.min_size().value() : 1;
      out.force_from = static_cast<uint32_t>(
          std::clamp(zoneNumber(services, "upstream.zone_routing.force_local_zone.min_size", from), 1.0, 4e9));
    }
  }
  return out;
}

}  // namespace sluice::config
