// A bounded table of slots by key, for keys that clients choose.
//
// A key that comes takes over the slot that was silent longest: if that slot has nothing to remember, or if there are
// as many as there may be. It takes it over as it is, so that a client that changes its key all the time finds what it
// has used up before. Slots live as long as the table. Thread: the owner's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <list>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sluice::extensions::http_filters::local_ratelimit {

template <typename Key, typename Slot>
class SlotTable {
 public:
  // `max` is at least 1.
  explicit SlotTable(size_t max) : max_(max) {}

  // `make()` gives a new slot; `idle(slot)` tells whether it has nothing to remember.
  template <typename Make, typename Idle>
  Slot& of(const Key& key, Make make, Idle idle) {
    if (const auto known = index_.find(key); known != index_.end()) {
      recent_.splice(recent_.begin(), recent_, known->second);
      return *recent_.front().slot;
    }
    if (!recent_.empty() && (recent_.size() >= max_ || idle(*recent_.back().slot))) {
      index_.erase(recent_.back().key);
      recent_.splice(recent_.begin(), recent_, std::prev(recent_.end()));
      recent_.front().key = key;
    } else {
      recent_.push_front({key, make()});
    }
    index_.emplace(key, recent_.begin());
    return *recent_.front().slot;
  }

  // Whether `check(slot)` is true for each of them.
  template <typename Check>
  bool all(Check check) {
    return std::all_of(recent_.begin(), recent_.end(), [&check](Entry& entry) { return check(*entry.slot); });
  }
  size_t size() const { return recent_.size(); }

 private:
  struct Entry {
    Key key;
    std::unique_ptr<Slot> slot;
  };

  const size_t max_;
  std::list<Entry> recent_;  // the last one that was asked for first
  absl::flat_hash_map<Key, typename std::list<Entry>::iterator> index_;
};

}  // namespace sluice::extensions::http_filters::local_ratelimit
