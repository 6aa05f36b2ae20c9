// What the protocol has to know of a resource type: its URL, the gRPC methods that serve it, whether a
// state-of-the-world response holds the complete set. The types of this release stand in typeInfo(); who brings another
// one gives its own TypeInfo. Values, pure functions and constants; any thread.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/xds/wire.h"

namespace sluice::xds {

inline constexpr std::string_view kListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener";
inline constexpr std::string_view kClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
inline constexpr std::string_view kRouteType = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
inline constexpr std::string_view kEndpointType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
inline constexpr std::string_view kScopedRouteType =
    "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
inline constexpr std::string_view kVirtualHostType = "type.googleapis.com/envoy.config.route.v3.VirtualHost";

inline constexpr std::string_view kSecretType = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

inline constexpr std::string_view kExtensionType = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

// The message's full name: what follows the last '/' of a type URL.
constexpr std::string_view typeName(std::string_view type_url) {
  return type_url.substr(type_url.rfind('/') + 1);  // npos + 1 is 0
}

// Texts are of static storage.
struct TypeInfo {
  std::string_view url;
  // Of its own stream; empty: it has none, and comes by the aggregated one or from files.
  std::string_view sotw_method = {};
  std::string_view delta_method = {};
  // Where it is polled; empty: it is not.
  std::string_view rest_path = {};
  // A state-of-the-world response is the complete set, so what is missing is deleted. Such a type may be asked for by
  // wildcard, too.
  bool complete_set = false;
  // Listeners that go make room for those that come, on the same address; whatever else goes may share something with
  // what comes in its place, and goes last.
  bool removals_first = false;
  // What one of them may be depends on the others that come with it: a large response is taken at once, too.
  bool one_part = false;
  // A resource's name stands in its body too (field 1), so that both have to agree.
  bool name_in_body = false;
  // Resources have other names too, by which they are asked for (Resource.aliases). Incremental only.
  bool aliases = false;
  // The place of its requests on the aggregated stream, lower ones first: what others need is asked for before them.
  int rank = 0;

  std::string_view ownMethod(Variant variant) const { return variant == Variant::kSotw ? sotw_method : delta_method; }
};

// Of a type of this release; of another one: its URL (which has to be of static storage then) and nothing else.
TypeInfo typeInfo(std::string_view type_url);

// The method of the aggregated stream, e.g. "/envoy.service.discovery.v3.AggregatedDiscoveryService/...".
std::string_view aggregatedMethod(Variant variant);

// The name in a serialized resource: the string in field 1, found without parsing the rest (the last one counts, as
// for a parser). Errors: the bytes are no protobuf message, the name is empty, or it is not UTF-8.
absl::StatusOr<std::string> nameInBody(std::string_view body);

// `text` with every byte that is not part of valid UTF-8 replaced by '?', cut to at most `limit` bytes at a character
// boundary: protobuf strings must be UTF-8, or the peer refuses the whole message.
std::string validUtf8(std::string_view text, size_t limit);

}  // namespace sluice::xds
