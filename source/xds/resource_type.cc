#include "source/xds/resource_type.h"

#include <cstdint>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "source/base/utf8.h"

namespace sluice::xds {
namespace {

using google::protobuf::internal::WireFormatLite;

// Only types that this release serves; the rest of xds-protocol's table comes with its feature.
constexpr TypeInfo kTypes[] = {
    {.url = kClusterType,
     .sotw_method = "/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters",
     .delta_method = "/envoy.service.cluster.v3.ClusterDiscoveryService/DeltaClusters",
     .rest_path = "/v3/discovery:clusters",
     .complete_set = true,
     .name_in_body = true,
     .rank = 10},
    {.url = kSecretType,
     .sotw_method = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets",
     .delta_method = "/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets",
     .rest_path = "/v3/discovery:secrets",
     .name_in_body = true,
     .rank = 20},
    {.url = kEndpointType,
     .sotw_method = "/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints",
     .delta_method = "/envoy.service.endpoint.v3.EndpointDiscoveryService/DeltaEndpoints",
     .rest_path = "/v3/discovery:endpoints",
     .name_in_body = true,
     .rank = 30},
    {.url = kExtensionType,
     .sotw_method = "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/StreamExtensionConfigs",
     .delta_method = "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs",
     .rest_path = "/v3/discovery:extension_configs",
     .name_in_body = true,
     .rank = 35},
    {.url = kListenerType,
     .sotw_method = "/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners",
     .delta_method = "/envoy.service.listener.v3.ListenerDiscoveryService/DeltaListeners",
     .rest_path = "/v3/discovery:listeners",
     .complete_set = true,
     .removals_first = true,
     .name_in_body = true,
     .rank = 40},
    {.url = kScopedRouteType,
     .sotw_method = "/envoy.service.route.v3.ScopedRoutesDiscoveryService/StreamScopedRoutes",
     .delta_method = "/envoy.service.route.v3.ScopedRoutesDiscoveryService/DeltaScopedRoutes",
     .rest_path = "/v3/discovery:scoped-routes",
     .complete_set = true,
     .removals_first = true,
     .one_part = true,
     .name_in_body = true,
     .rank = 45},
    {.url = kRouteType,
     .sotw_method = "/envoy.service.route.v3.RouteDiscoveryService/StreamRoutes",
     .delta_method = "/envoy.service.route.v3.RouteDiscoveryService/DeltaRoutes",
     .rest_path = "/v3/discovery:routes",
     .name_in_body = true,
     .rank = 50},
    {.url = kVirtualHostType,
     .delta_method = "/envoy.service.route.v3.VirtualHostDiscoveryService/DeltaVirtualHosts",
     .aliases = true,
     .rank = 60},
};

}  // namespace

TypeInfo typeInfo(std::string_view type_url) {
  for (const TypeInfo& type : kTypes) {
    if (typeName(type.url) == typeName(type_url)) return type;
  }
  return {.url = type_url};
}

std::string_view aggregatedMethod(Variant variant) {
  return variant == Variant::kSotw ? "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
                                   : "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
}

absl::StatusOr<std::string> nameInBody(std::string_view body) {
  constexpr uint32_t kNameTag =
      WireFormatLite::MakeTag(1, WireFormatLite::WireType::WIRETYPE_LENGTH_DELIMITED);  // string name = 1
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(body.data()),
                                               static_cast<int>(body.size()));
  std::string name;
  while (const uint32_t tag = input.ReadTag()) {
    const bool read =
        tag == kNameTag ? WireFormatLite::ReadString(&input, &name) : WireFormatLite::SkipField(&input, tag);
    if (!read) return absl::InvalidArgumentError("the bytes are not a protobuf message");
  }
  if (!input.ConsumedEntireMessage()) return absl::InvalidArgumentError("the bytes are not a protobuf message");
  if (name.empty()) return absl::InvalidArgumentError("a dynamic resource needs a name; set it");
  if (!base::isUtf8(name)) return absl::InvalidArgumentError("the name is not UTF-8");
  return name;
}

std::string validUtf8(std::string_view text, size_t limit) {
  std::string valid;
  valid.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const size_t length = base::utf8Length(text);
    const size_t taken = length == 0 ? 1 : length;
    if (valid.size() + taken > limit) break;
    if (length == 0) {
      valid.push_back('?');
    } else {
      valid.append(text.substr(0, length));
    }
    text.remove_prefix(taken);
  }
  return valid;
}

}  // namespace sluice::xds
