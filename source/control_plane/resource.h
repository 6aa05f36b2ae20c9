// One configuration resource as the control plane holds it: serialised once, shared by every snapshot that has it.
//
// Immutable after it is made. Two resources of one type and name are equal exactly when their versions are.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::control_plane {

// In the order in which additions go out.
enum class ResourceType : size_t { kCluster = 0, kEndpoints = 1, kListener = 2, kRoute = 3, kSecret = 4 };
inline constexpr size_t kResourceTypeCount = 5;
inline constexpr std::array<ResourceType, kResourceTypeCount> kResourceTypes = {
    ResourceType::kCluster, ResourceType::kEndpoints, ResourceType::kListener, ResourceType::kRoute,
    ResourceType::kSecret};

// "type.googleapis.com/envoy.config.cluster.v3.Cluster" and its like.
std::string_view typeUrl(ResourceType type);
// What people call it: "cluster", "endpoints", "listener", "route", "secret".
std::string_view typeWord(ResourceType type);
// Takes a type URL, a full message name, a word ("cluster", "clusters", "cds"); nullopt for anything else.
std::optional<ResourceType> resourceTypeOf(std::string_view text);

// State-of-the-world responses of these types hold the complete set: what is missing is deleted.
constexpr bool isCompleteSet(ResourceType type) {
  return type == ResourceType::kCluster || type == ResourceType::kListener;
}

struct ResourceName {
  ResourceType type;
  std::string name;

  auto operator<=>(const ResourceName&) const = default;
};

struct Resource {
  ResourceType type;
  std::string name;
  std::string bytes;    // the message, serialised deterministically (the value of the Any)
  std::string version;  // content hash of `bytes`
  // Listeners only.
  bool api_listener = false;           // has `api_listener`: never part of a wildcard
  std::vector<std::string> addresses;  // what it binds, so that an address can move from one listener to another
  // What it names, sorted: a client does not use it without. It may have it from elsewhere.
  std::vector<ResourceName> needs;
};
using ResourcePtr = std::shared_ptr<const Resource>;

// Fills `version` from `bytes`.
ResourcePtr makeResource(Resource resource);

// A ClusterLoadAssignment without endpoints: the answer for a name that nobody gives.
ResourcePtr emptyAssignment(const std::string& name);

}  // namespace sluice::control_plane
