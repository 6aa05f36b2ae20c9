// All that one group of nodes is to be given, at one moment. Immutable; shared by the streams of the group.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/control_plane/resource.h"

namespace sluice::control_plane {

using ResourceMap = std::map<std::string, ResourcePtr, std::less<>>;

// The content hash of a set of one type: of its names and versions, in the order of names.
std::string versionOf(const ResourceMap& resources);

class Snapshot {
 public:
  // Names are unique for a type (the intent store refuses the rest); of duplicates the last one stays.
  explicit Snapshot(const std::vector<ResourcePtr>& resources);

  const ResourceMap& all(ResourceType type) const { return resources_[static_cast<size_t>(type)]; }
  // Null if there is none.
  ResourcePtr find(ResourceType type, std::string_view name) const;
  // Content hash of all resources of the type; the same after a restart.
  const std::string& version(ResourceType type) const { return versions_[static_cast<size_t>(type)]; }
  // Content hash of everything.
  const std::string& version() const { return version_; }

 private:
  std::array<ResourceMap, kResourceTypeCount> resources_;
  std::array<std::string, kResourceTypeCount> versions_;
  std::string version_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace sluice::control_plane
