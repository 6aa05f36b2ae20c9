#include "source/control_plane/snapshot.h"

#include "source/control_plane/content_hash.h"

namespace sluice::control_plane {

std::string versionOf(const ResourceMap& resources) {
  std::string text;
  for (const auto& [name, resource] : resources) {
    text.append(name).push_back('\0');
    text.append(resource->version).push_back('\0');
  }
  return versionText(contentHash(text));
}

Snapshot::Snapshot(const std::vector<ResourcePtr>& resources) {
  for (const ResourcePtr& resource : resources) {
    resources_[static_cast<size_t>(resource->type)].insert_or_assign(resource->name, resource);
  }
  std::string text;
  for (ResourceType type : kResourceTypes) {
    std::string& version = versions_[static_cast<size_t>(type)];
    version = versionOf(all(type));
    text += version;
  }
  version_ = versionText(contentHash(text));
}

ResourcePtr Snapshot::find(ResourceType type, std::string_view name) const {
  const ResourceMap& resources = all(type);
  const auto found = resources.find(name);
  return found == resources.end() ? nullptr : found->second;
}

}  // namespace sluice::control_plane
