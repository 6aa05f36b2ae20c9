// The discovery protocol without its wire: one form for state-of-the-world and delta.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "source/control_plane/resource.h"

namespace sluice::control_plane {

enum class Variant { kStateOfTheWorld, kDelta };

// Who asks (envoy.config.core.v3.Node). Metadata is flattened: "a.b" -> text of the scalar.
struct Node {
  std::string id;
  std::string cluster;
  std::map<std::string, std::string> metadata;
  std::string user_agent;  // "envoy 1.39.0", "gRPC C-core ..."; for people

  bool operator==(const Node&) const = default;
};

// A DiscoveryRequest or a DeltaDiscoveryRequest, without its node.
struct Request {
  ResourceType type;
  std::string nonce;                 // response_nonce
  std::optional<std::string> error;  // error_detail, as text: this is a NACK
  // State of the world.
  std::string version;             // version_info: the last accepted one
  std::vector<std::string> names;  // resource_names: the whole interest
  // Delta.
  std::vector<std::string> subscribe;
  std::vector<std::string> unsubscribe;
  std::map<std::string, std::string> initial_versions;  // name -> version held from an earlier stream
};

// A DiscoveryResponse or a DeltaDiscoveryResponse.
struct Response {
  ResourceType type;
  std::string version;  // version_info or system_version_info
  std::string nonce;
  std::vector<ResourcePtr> resources;
  std::vector<std::string> removed;  // delta only
};

}  // namespace sluice::control_plane
