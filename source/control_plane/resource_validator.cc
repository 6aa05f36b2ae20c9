#include "source/control_plane/resource_validator.h"

#include <memory>
#include <optional>
#include <string>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/secret.pb.h"
#include "source/config/cluster_compiler.h"
#include "source/config/filter_routes.h"
#include "source/config/listener_compiler.h"
#include "source/config/route_compiler.h"
#include "source/config/secrets.h"
#include "source/config/services.h"
#include "source/config/validate.h"

namespace sluice::control_plane {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::listener::v3::Listener;
using envoy::config::route::v3::RouteConfiguration;
using envoy::extensions::transport_sockets::tls::v3::Secret;

// Files are of the proxies' machines: only what stands in place can be looked into.
void validateSecret(const Secret& secret, const config::Context& context) {
  const std::optional<config::SecretKind> kind = config::kindOf(secret);
  if (!kind)
    return context.error(
        "is empty; give it a tls_certificate, a validation_context, session_ticket_keys or a generic_secret");
  if (config::readsFiles(secret)) return;
  config::checkSecret({secret, std::make_shared<config::FileContents>()}, *kind, context);
}

}  // namespace

void ProxyValidator::validate(const google::protobuf::Message& resource, const config::Context& context) const {
  if (!config::validate(resource, context)) return;
  if (resource.GetDescriptor() == ClusterLoadAssignment::descriptor()) {
    const auto& assignment = static_cast<const ClusterLoadAssignment&>(resource);
    config::compileEdsAssignment(assignment, assignment.cluster_name(), context);
    return;
  }
  if (resource.GetDescriptor() == Secret::descriptor())
    return validateSecret(static_cast<const Secret&>(resource), context);
  observability::StatsRegistry stats;
  route::ClusterNames cluster_names;
  route::FilterSlots filter_slots;
  config::AnyRoutes routes;  // whether the names are served is not one resource's business
  config::Services services{.registry = registry_,
                            .stats = stats,
                            .log_files = nullptr,
                            .cluster_names = cluster_names,
                            .filter_slots = filter_slots,
                            .route_slots = routes};
  if (resource.GetDescriptor() == Cluster::descriptor()) {
    config::compileCluster(static_cast<const Cluster&>(resource), context, services);
  } else if (resource.GetDescriptor() == RouteConfiguration::descriptor()) {
    config::compileRoutes(static_cast<const RouteConfiguration&>(resource), context, services, nullptr, {}, {},
                          /*with_vhds=*/true);
  } else if (resource.GetDescriptor() == Listener::descriptor()) {
    config::compileListener(static_cast<const Listener&>(resource), context, services);
  }
}

}  // namespace sluice::control_plane
