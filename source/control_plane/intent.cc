#include "source/control_plane/intent.h"

#include <algorithm>
#include <set>
#include <utility>

#include "source/base/text.h"
#include "source/control_plane/content_hash.h"
#include "source/control_plane/filter_settings.h"
#include "source/control_plane/grpc_clients.h"

namespace sluice::control_plane {
namespace {

std::string placeText(const Location& location) {
  return base::strCat(location.file, ":", location.line, ":", location.column);
}

config::ConfigError errorAt(const Location& location, std::string message) {
  return {location.file, location.line, location.column, location.path, "", std::move(message)};
}

// What of `files` goes to one node: duplicates are told once each.
void checkDuplicates(const std::vector<IntentFilePtr>& files, const std::vector<bool>& group,
                     std::set<const IntentResource*>& told, config::ErrorList& errors) {
  std::map<std::pair<ResourceType, std::string_view>, const IntentResource*> seen;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!group[i]) continue;
    for (const IntentResource& item : files[i]->resources) {
      const auto [first, fresh] = seen.try_emplace({item.resource->type, item.resource->name}, &item);
      if (fresh || !told.insert(&item).second) continue;
      errors.add(
          errorAt(item.location,
                  base::strCat(typeWord(item.resource->type), " '", item.resource->name,
                               "' is given twice to the same node, first at ", placeText(first->second->location), " (",
                               first->second->location.path, "); rename one, or keep the files apart with `nodes`")));
    }
  }
}

std::string selectorText(const IntentFile& file) {
  std::string text;
  for (const NodeSelector& selector : file.nodes) {
    text += base::strCat("|", selector.id.value_or(""), "|", selector.cluster.value_or(""));
    for (const auto& [key, value] : selector.metadata) text += base::strCat("|", key, "=", value);
  }
  return text;
}

// Independent of the names of files and of how resources are spread over files with the same selectors.
std::string versionOfFiles(const std::vector<IntentFilePtr>& files) {
  std::vector<std::string> lines;
  for (const IntentFilePtr& file : files) {
    const std::string selector = selectorText(*file);
    for (const IntentResource& item : file->resources) {
      lines.push_back(base::strCat(typeWord(item.resource->type), "/", item.resource->name, "/", item.resource->version,
                                   selector, "\n"));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return versionText(contentHash(text));
}

}  // namespace

Intent::Intent(std::vector<IntentFilePtr> files) : files_(std::move(files)), version_(versionOfFiles(files_)) {}

std::unique_ptr<Intent> Intent::make(std::vector<IntentFilePtr> files, config::ErrorList& errors) {
  const size_t before = errors.total();
  std::unique_ptr<Intent> intent(new Intent(std::move(files)));
  std::set<const IntentResource*> told;
  checkDuplicates(intent->files_, intent->groupOf(Node{}), told, errors);
  for (const IntentFilePtr& file : intent->files_) {
    for (const NodeSelector& selector : file->nodes) {
      checkDuplicates(intent->files_, intent->groupOf(selector.example()), told, errors);
    }
  }
  intent->checkReferences(errors);
  checkFilterSettings(intent->files_, errors);
  if (errors.total() == before) warnForGrpcClients(intent->files_, errors);
  return errors.total() == before ? std::move(intent) : nullptr;
}

void Intent::checkReferences(config::ErrorList& errors) const {
  std::map<std::pair<ResourceType, std::string_view>, std::vector<const IntentFile*>> givers;
  for (const IntentFilePtr& file : files_) {
    for (const IntentResource& item : file->resources) {
      givers[{item.resource->type, item.resource->name}].push_back(file.get());
    }
  }
  for (const IntentFilePtr& file : files_) {
    for (const IntentResource& item : file->resources) {
      for (const Reference& reference : item.relations.references) {
        if (!reference.ours) continue;
        const auto found = givers.find({reference.type, reference.name});
        if (found == givers.end()) {
          errors.add(errorAt(reference.location, base::strCat(typeWord(reference.type), " '", reference.name,
                                                              "' does not exist; no file gives it")));
          continue;
        }
        const bool reachable = std::any_of(found->second.begin(), found->second.end(), [&](const IntentFile* giver) {
          return compatible(giver->nodes, file->nodes);
        });
        if (reachable) continue;
        errors.add(
            errorAt(reference.location, base::strCat(typeWord(reference.type), " '", reference.name, "' is in ",
                                                     found->second.front()->name, ", which goes to other nodes only")));
      }
    }
  }
}

Intent::Group Intent::groupOf(const Node& node) const {
  Group group(files_.size());
  for (size_t i = 0; i < files_.size(); ++i) group[i] = selects(files_[i]->nodes, node);
  return group;
}

absl::StatusOr<SnapshotPtr> Intent::snapshotFor(const Node& node) {
  Group group = groupOf(node);
  const auto found = snapshots_.find(group);
  if (found != snapshots_.end()) return found->second;
  absl::StatusOr<SnapshotPtr> snapshot = build(group);
  snapshots_.emplace(std::move(group), snapshot);
  return snapshot;
}

// What is right for every selector by itself may still not fit together for a node that several select.
absl::StatusOr<SnapshotPtr> Intent::build(const Group& group) const {
  config::ErrorList errors;
  std::set<const IntentResource*> told;
  checkDuplicates(files_, group, told, errors);
  std::vector<ResourcePtr> resources;
  for (size_t i = 0; i < files_.size(); ++i) {
    if (!group[i]) continue;
    for (const IntentResource& item : files_[i]->resources) resources.push_back(item.resource);
  }
  auto snapshot = std::make_shared<const Snapshot>(resources);
  for (size_t i = 0; i < files_.size(); ++i) {
    if (!group[i]) continue;
    for (const IntentResource& item : files_[i]->resources) {
      for (const Reference& reference : item.relations.references) {
        if (!reference.ours || snapshot->find(reference.type, reference.name) != nullptr) continue;
        errors.add(errorAt(reference.location, base::strCat(typeWord(reference.type), " '", reference.name,
                                                            "' is not given to this node")));
      }
    }
  }
  if (!errors.empty()) return errors.status();
  return snapshot;
}

size_t Intent::resourceCount() const {
  size_t count = 0;
  for (const IntentFilePtr& file : files_) count += file->resources.size();
  return count;
}

}  // namespace sluice::control_plane
