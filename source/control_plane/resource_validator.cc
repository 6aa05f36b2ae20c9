#include "source/control_plane/resource_validator.h"

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "source/config/cluster_compiler.h"
#include "source/config/route_compiler.h"
#include "source/config/validate.h"

namespace sluice::control_plane {
namespace {

using envoy::config::cluster::v3::Cluster;
using envoy::config::endpoint::v3::ClusterLoadAssignment;
using envoy::config::route::v3::RouteConfiguration;

void compileRoutes(const RouteConfiguration& routes, const config::Context& context) {
  route::ClusterNames cluster_names;
  route::FilterSlots filter_slots;
  const config::RouteCompilerDeps deps{.cluster_names = cluster_names, .filter_slots = filter_slots};
  config::compileRouteTable(routes, context, deps);
}

}  // namespace

void ResourceValidator::validate(const google::protobuf::Message& resource, const config::Context& context) const {
  if (!config::validate(resource, context)) return;
  if (resource.GetDescriptor() == Cluster::descriptor()) {
    config::compileCluster(static_cast<const Cluster&>(resource), context);
  } else if (resource.GetDescriptor() == ClusterLoadAssignment::descriptor()) {
    const auto& assignment = static_cast<const ClusterLoadAssignment&>(resource);
    config::compileEdsAssignment(assignment, assignment.cluster_name(), context);
  } else if (resource.GetDescriptor() == RouteConfiguration::descriptor()) {
    compileRoutes(static_cast<const RouteConfiguration&>(resource), context);
  }
}

}  // namespace sluice::control_plane
