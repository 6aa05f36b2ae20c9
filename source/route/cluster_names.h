// Cluster names as small integers: a route holds an id, and the router finds the worker's cluster by it without
// hashing.
//
// Thread: main only; workers see ids. A name keeps its id for the life of the process, so that tables compiled at
// different times agree. Names are never forgotten: they are few and small beside the clusters they name.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace sluice::route {

using ClusterId = uint32_t;
inline constexpr ClusterId kNoCluster = UINT32_MAX;

class ClusterNames {
 public:
  // The id of `name`, given now if it is new. Ids count up from 0.
  ClusterId idOf(std::string_view name) {
    if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    const ClusterId id = static_cast<ClusterId>(names_.size());
    ids_.emplace(names_.emplace_back(name), id);
    return id;
  }

  // The id of `name`, or kNoCluster if nobody named it so far.
  ClusterId find(std::string_view name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? kNoCluster : found->second;
  }

  // `id` was given out here. The view lives as long as this object.
  std::string_view nameOf(ClusterId id) const { return names_[id]; }
  size_t size() const { return names_.size(); }

 private:
  std::deque<std::string> names_;  // a deque: the keys of ids_ point into it
  absl::flat_hash_map<std::string_view, ClusterId> ids_;
};

}  // namespace sluice::route
