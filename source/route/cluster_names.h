// Cluster names as small integers: a route holds an id, and the router finds the worker's cluster by it without
// hashing.
//
// A name keeps its id while anything has it: compiled configuration that names the cluster (a Use), or the cluster
// itself (keep). After that the id is given to another name. Thread: main only, except that the last copy of a Use may
// go on any thread; workers see ids.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "source/route/cluster_id.h"

namespace sluice::route {

class ClusterNames {
 public:
  // Says that something that serves names the cluster: held by tables and filters, wherever they are in use.
  using Use = std::shared_ptr<const void>;

  // While it lives, clusters that are asked for by idOf() are used by what is being made. The innermost one counts.
  class Recording {
   public:
    explicit Recording(ClusterNames& names) : names_(names), outer_(std::exchange(names.recording_, this)) {}
    ~Recording() {
      names_.recording_ = outer_;
      if (outer_ != nullptr) outer_->seen_.insert(seen_.begin(), seen_.end());
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    // Those so far; null if there is none.
    [[nodiscard]] Use take() {
      return uses_.empty() ? nullptr : std::make_shared<const Uses>(std::exchange(uses_, Uses()));
    }
    // All that were asked for, in recordings within this one, too, that are over; ascending.
    std::vector<ClusterId> seen() const {
      std::vector<ClusterId> ids(seen_.begin(), seen_.end());
      std::sort(ids.begin(), ids.end());
      return ids;
    }

   private:
    friend class ClusterNames;
    using Uses = absl::flat_hash_map<ClusterId, Use>;
    ClusterNames& names_;
    Recording* const outer_;
    Uses uses_;
    absl::flat_hash_set<ClusterId> seen_;
  };

  // The id of `name`, given now if it is new.
  ClusterId idOf(std::string_view name) {
    ClusterId id = find(name);
    if (id == kNoCluster) {
      id = static_cast<ClusterId>(names_.size());
      if (free_.empty()) {
        names_.emplace_back();
      } else {
        id = free_.back();
        free_.pop_back();
      }
      names_[id].text = name;
      ids_.emplace(names_[id].text, id);
    }
    if (recording_ != nullptr) recording_->seen_.insert(id);
    if (recording_ != nullptr && !recording_->uses_.contains(id)) recording_->uses_.emplace(id, use(id));
    return id;
  }

  // The id of `name`, or kNoCluster if nobody has it.
  ClusterId find(std::string_view name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? kNoCluster : found->second;
  }

  // `id` is in use. The view lives as long as that.
  std::string_view nameOf(ClusterId id) const { return names_[id].text; }
  size_t size() const { return ids_.size(); }

  Use use(ClusterId id) {
    if (Use known = names_[id].use.lock()) return known;
    Use made(new ClusterId(id), [told = told_](const ClusterId* gone) {
      const std::unique_ptr<const ClusterId> owned(gone);
      const std::lock_guard lock(told->mutex);
      if (told->unused) told->unused(*gone);
    });
    names_[id].use = made;
    return made;
  }
  bool used(ClusterId id) const { return id < names_.size() && !names_[id].use.expired(); }
  // Called when the last Use of a cluster is gone, on the thread where it went; the names may be used again by then.
  // Null: nobody is told any more.
  void onUnused(std::function<void(ClusterId)> unused) {
    const std::lock_guard lock(told_->mutex);
    told_->unused = std::move(unused);
  }

  // The cluster itself is there, or not any more.
  void keep(ClusterId id) { names_[id].kept = true; }
  void letGo(ClusterId id) {
    names_[id].kept = false;
    forgetUnused(id);
  }
  // Gives the id to others if nothing has it.
  void forgetUnused(ClusterId id) {
    Name& name = names_[id];
    if (name.kept || used(id) || find(name.text) != id) return;
    ids_.erase(name.text);
    name = {};
    free_.push_back(id);
  }

 private:
  struct Name {
    std::string text;
    std::weak_ptr<const void> use;
    bool kept = false;
  };
  struct Told {
    std::mutex mutex;
    std::function<void(ClusterId)> unused;
  };
  std::deque<Name> names_;  // a deque: the keys of ids_ point into it
  std::vector<ClusterId> free_;
  absl::flat_hash_map<std::string_view, ClusterId> ids_;
  Recording* recording_ = nullptr;
  std::shared_ptr<Told> told_ = std::make_shared<Told>();
};

}  // namespace sluice::route
