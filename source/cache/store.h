// Stored answers in memory, for all workers, bounded by bytes.
//
// Keys are spread over shards. A lookup holds its shard's lock while it finds a shared_ptr and moves one link; bodies
// are read without any. What was asked for once leaves before what was asked for again (two lists by age in each shard,
// the second of at most four fifths), so that a walk through many addresses does not push out what is in use.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/cache/stored_response.h"
#include "source/cache/vary.h"

namespace sluice::cache {

class Store {
 public:
  // Of the whole, one answer may be that much, and so may all that are on their way in.
  static constexpr size_t kLargestPart = 8;
  static constexpr size_t kIncomingPart = 4;

  explicit Store(size_t max_bytes) : max_bytes_(max_bytes) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  size_t maxBytes() const { return max_bytes_; }
  size_t largest() const { return max_bytes_ / kLargestPart; }

  struct Found {
    std::shared_ptr<const StoredResponse> response;  // null: there is none
    bool varies = false;                             // there are answers to other requests
    std::string variant;                             // of this request, if it is known what answers depend on
  };
  // `request`: those of its fields that answers may depend on.
  Found find(const std::string& key, const http::HeaderList& request);

  // Taken before the upstream is asked: an answer from before an invalidation is not stored after it.
  struct Ticket {
    uint32_t epoch;
  };
  Ticket ticket(const std::string& key) const { return {epochOf(key).load(std::memory_order_relaxed)}; }
  // Whether it was stored.
  bool put(const std::string& key, Ticket ticket, const VaryNames& vary, const http::HeaderList& request,
           std::shared_ptr<const StoredResponse> response);
  // All answers to the key, whatever they depend on.
  void invalidate(const std::string& key);

  // Bytes of a body on its way in. False: there are too many.
  bool reserve(size_t bytes);
  void release(size_t bytes) { incoming_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 64;
  static constexpr size_t kEpochs = 1024;
  static constexpr size_t kNodeBytes = 256;  // about what keeping one costs besides its text

  // An answer, or what the answers to a key depend on: those are nodes of their own, whose keys have the generation, so
  // that none is found once this is gone.
  struct Node : base::ListNode {
    std::string key;
    std::shared_ptr<const StoredResponse> response;  // null: see `vary`
    VaryNames vary;
    uint64_t generation = 0;
    size_t bytes = 0;
    bool again = false;  // in the second list
  };
  struct Shard {
    std::mutex lock;
    absl::flat_hash_map<std::string, std::unique_ptr<Node>> nodes;
    base::List<Node> once, again;  // the latest first
    size_t again_bytes = 0;
  };

  static size_t hashOf(std::string_view key);
  Shard& shardOf(const std::string& key) { return shards_[hashOf(key) % kShards]; }
  std::atomic<uint32_t>& epochOf(const std::string& key) { return epochs_[hashOf(key) / kShards % kEpochs]; }
  const std::atomic<uint32_t>& epochOf(const std::string& key) const {
    return epochs_[hashOf(key) / kShards % kEpochs];
  }
  static std::string variantKey(const Node& node, const http::HeaderList& request);

  // With the shard's lock.
  Node* nodeOf(Shard& shard, std::string_view key);
  void touch(Shard& shard, Node& node);
  void insert(Shard& shard, std::unique_ptr<Node> node);
  void erase(Shard& shard, Node& node);
  static Node* victimOf(Shard& shard, int round);
  // Without any.
  void trim(size_t grown);

  const size_t max_bytes_;
  std::array<Shard, kShards> shards_;
  std::array<std::atomic<uint32_t>, kEpochs> epochs_{};
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> incoming_{0};
  std::atomic<uint64_t> next_generation_{1};
};

}  // namespace sluice::cache
