#include "source/explain/configuration.h"

#include "absl/strings/str_cat.h"

namespace sluice::explain {
namespace {

std::string addressOf(const envoy::config::core::v3::Address& proto) {
  if (proto.has_pipe()) return proto.pipe().path();
  if (proto.has_envoy_internal_address()) {
    return absl::StrCat("envoy://", proto.envoy_internal_address().server_listener_name());
  }
  const auto& socket = proto.socket_address();
  const bool v6 = socket.address().find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", socket.address(), v6 ? "]:" : ":", socket.port_value());
}

std::string healthOf(envoy::config::core::v3::HealthStatus status) {
  using namespace envoy::config::core::v3;
  switch (status) {
    case UNHEALTHY:
      return "unhealthy";
    case DRAINING:
      return "draining";
    case TIMEOUT:
      return "timeout";
    case DEGRADED:
      return "degraded";
    default:
      return "healthy";
  }
}

std::string localityOf(const envoy::config::core::v3::Locality& locality) {
  if (locality.region().empty() && locality.zone().empty() && locality.sub_zone().empty()) return {};
  return absl::StrCat(locality.region(), "/", locality.zone(), "/", locality.sub_zone());
}

}  // namespace

Cluster describeCluster(const envoy::config::cluster::v3::Cluster& proto, std::string path) {
  using Proto = envoy::config::cluster::v3::Cluster;
  Cluster out;
  out.name = proto.name();
  out.path = std::move(path);
  out.type = proto.has_cluster_type() ? proto.cluster_type().name() : Proto::DiscoveryType_Name(proto.type());
  for (const auto& locality : proto.load_assignment().endpoints()) {
    for (const auto& endpoint : locality.lb_endpoints()) {
      out.hosts.push_back(
          {.address = addressOf(endpoint.endpoint().address()),
           .hostname = endpoint.endpoint().hostname(),
           .weight = endpoint.has_load_balancing_weight() ? endpoint.load_balancing_weight().value() : 1,
           .priority = locality.priority(),
           .locality = localityOf(locality.locality()),
           .health = healthOf(endpoint.health_status())});
    }
  }
  if (proto.has_cluster_type() || proto.type() == Proto::ORIGINAL_DST) {
    out.note = "its hosts are found while it serves";
  } else if (proto.type() == Proto::EDS) {
    out.note = "its endpoints come from a control plane";
  } else if (proto.type() != Proto::STATIC) {
    out.note = "DNS says which addresses these names have";
  }
  return out;
}

std::shared_ptr<const route::TableSlot> KeptRoutes::inlineTable(std::shared_ptr<const route::Table> table) {
  tables_[next_id_] = std::move(table);
  return std::make_shared<const route::TableSlot>(route::TableSlot{next_id_++});
}

std::shared_ptr<const route::TableSlot> KeptRoutes::rds(const std::string&,
                                                        const envoy::config::core::v3::ConfigSource&,
                                                        config::InitTargets*, const config::Context&) {
  return std::make_shared<const route::TableSlot>(route::TableSlot{next_id_++});
}

std::shared_ptr<const route::Table> KeptRoutes::find(const route::TableSlot& slot) const {
  const auto found = tables_.find(slot.id);
  return found == tables_.end() ? nullptr : found->second;
}

}  // namespace sluice::explain
