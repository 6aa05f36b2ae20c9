// All buckets of a filter, by their keys: where a worker finds those that it has not seen so far. Any thread.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "source/extensions/filters/http/rate_limit_quota/bucket.h"

namespace sluice::extensions::http_filters::rate_limit_quota {

class BucketTable {
 public:
  // Clients may make buckets, by values that become parts of ids.
  static constexpr size_t kMaxBuckets = 10'000;

  struct Found {
    BucketPtr bucket;  // null: there is none, and there are as many as may be
    bool made = false;
  };
  Found findOrMake(const std::string& key, const BucketId& id, const BucketSettingsPtr& settings) {
    const std::lock_guard lock(mutex_);
    if (const auto known = buckets_.find(key); known != buckets_.end()) return {known->second, false};
    if (buckets_.size() >= kMaxBuckets) return {};
    return {buckets_.emplace(key, std::make_shared<Bucket>(key, id, settings)).first->second, true};
  }
  // Workers forget it.
  void remove(Bucket& bucket) {
    bucket.set(nullptr);
    const std::lock_guard lock(mutex_);
    buckets_.erase(bucket.key);
  }
  bool isFull() const {
    const std::lock_guard lock(mutex_);
    return buckets_.size() >= kMaxBuckets;
  }

 private:
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, BucketPtr> buckets_;
};

}  // namespace sluice::extensions::http_filters::rate_limit_quota
