#include "source/control_plane/resource.h"

#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/control_plane/content_hash.h"

namespace sluice::control_plane {
namespace {

struct TypeNames {
  std::string_view url;
  std::string_view word;
  std::string_view plural;
  std::string_view service;
};

constexpr std::string_view kUrlPrefix = "type.googleapis.com/";
constexpr std::array<TypeNames, kResourceTypeCount> kNames = {{
    {"type.googleapis.com/envoy.config.cluster.v3.Cluster", "cluster", "clusters", "cds"},
    {"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoints", "endpoint", "eds"},
    {"type.googleapis.com/envoy.config.listener.v3.Listener", "listener", "listeners", "lds"},
    {"type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "route", "routes", "rds"},
    {"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "secret", "secrets", "sds"},
}};

}  // namespace

std::string_view typeUrl(ResourceType type) {
  return kNames[static_cast<size_t>(type)].url;
}

std::string_view typeWord(ResourceType type) {
  return kNames[static_cast<size_t>(type)].word;
}

std::optional<ResourceType> resourceTypeOf(std::string_view text) {
  for (ResourceType type : kResourceTypes) {
    const TypeNames& names = kNames[static_cast<size_t>(type)];
    if (text == names.url || text == names.url.substr(kUrlPrefix.size()) || text == names.word ||
        text == names.plural || text == names.service) {
      return type;
    }
  }
  return std::nullopt;
}

ResourcePtr makeResource(Resource resource) {
  resource.version = versionText(contentHash(resource.bytes));
  return std::make_shared<const Resource>(std::move(resource));
}

ResourcePtr emptyAssignment(const std::string& name) {
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  assignment.set_cluster_name(name);
  return makeResource({.type = ResourceType::kEndpoints, .name = name, .bytes = assignment.SerializeAsString()});
}

}  // namespace sluice::control_plane
