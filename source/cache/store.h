// Stored answers in memory, for all workers, bounded by bytes.
//
// Addresses are spread over shards. A lookup holds its shard's lock while it finds a shared_ptr and moves one link;
// bodies are read without any. What was asked for once leaves before what was asked for again (two lists by age in each
// shard, the second of at most four fifths), so that a walk through many addresses does not push out what is in use.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/cache/labels.h"
#include "source/cache/purge_log.h"
#include "source/cache/stored_response.h"
#include "source/cache/vary.h"

namespace sluice::cache {

class Store {
 public:
  // Of the whole, one answer may be that much, and so may all that are on their way in.
  static constexpr size_t kLargestPart = 8;
  static constexpr size_t kIncomingPart = 4;

  explicit Store(size_t max_bytes, Addressing addressing = {})
      : max_bytes_(max_bytes), addressing_(std::move(addressing)) {}
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  size_t maxBytes() const { return max_bytes_; }
  size_t largest() const { return max_bytes_ / kLargestPart; }
  const Addressing& addressing() const { return addressing_; }

  // An address has answers under several keys; a key has one address.
  struct Name {
    std::string address;  // addressLabel()
    std::string key;
  };

  struct Found {
    std::shared_ptr<const StoredResponse> response;  // null: there is none
    bool varies = false;                             // there are answers to other requests
    std::string variant;                             // of this request, if it is known what answers depend on
  };
  // `request`: those of its fields that answers may depend on.
  Found find(const Name& name, const http::HeaderList& request);

  // Taken before anything is looked up: what was asked for, or found, before an invalidation or a purge is not stored
  // after it.
  struct Ticket {
    uint32_t epoch;
    uint64_t purges;
  };
  Ticket ticket(const Name& name) const {
    return {epochOf(name.address).load(std::memory_order_relaxed), purges_.count()};
  }
  enum class Put : uint8_t { kStored, kOutOfDate, kTooLarge };
  Put put(const Name& name, Ticket ticket, const VaryNames& vary, const http::HeaderList& request,
          std::shared_ptr<const StoredResponse> response, Labels tags);
  // All answers to the key, whatever they depend on.
  void invalidate(const Name& name);
  // All answers at the address, or that a purge takes, whatever their keys; how many there were. It takes time for what
  // it finds only, and a shard's lock for a few at a time.
  size_t invalidateAddress(const std::string& address);
  size_t purge(const Purge& purge);

  // Bytes of a body on its way in. False: there are too many.
  bool reserve(size_t bytes);
  void release(size_t bytes) { incoming_.fetch_sub(bytes, std::memory_order_relaxed); }

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 64;
  static constexpr size_t kEpochs = 1024;
  static constexpr size_t kNodeBytes = 256;    // about what keeping one costs besides its text
  static constexpr size_t kLabelBytes = 64;    // the same of a label
  static constexpr size_t kLabelsAtOnce = 64;  // of what a purge takes with one lock; an answer has one at least

  // An answer, or what the answers to a key depend on: those are nodes of their own, whose keys have the generation, so
  // that none is found once this is gone.
  struct Node : base::ListNode {
    std::string key;
    std::shared_ptr<const StoredResponse> response;  // null: see `vary`
    VaryNames vary;
    Labels labels;
    uint64_t generation = 0;
    size_t bytes = 0;
    bool again = false;  // in the second list
  };
  struct Shard {
    std::mutex lock;
    absl::flat_hash_map<std::string, std::unique_ptr<Node>> nodes;
    absl::btree_set<std::pair<std::string_view, Node*>> labels;  // of all nodes
    base::List<Node> once, again;                                // the latest first
    size_t again_bytes = 0;
  };

  static size_t hashOf(std::string_view key);
  Shard& shardOf(const std::string& address) { return shards_[hashOf(address) % kShards]; }
  std::atomic<uint32_t>& epochOf(const std::string& address) { return epochs_[hashOf(address) / kShards % kEpochs]; }
  const std::atomic<uint32_t>& epochOf(const std::string& address) const {
    return epochs_[hashOf(address) / kShards % kEpochs];
  }
  static std::string variantKey(const Node& node, const http::HeaderList& request);

  // With the shard's lock.
  Node* nodeOf(Shard& shard, std::string_view key);
  void touch(Shard& shard, Node& node);
  void insert(Shard& shard, std::unique_ptr<Node> node);
  std::unique_ptr<Node> take(Shard& shard, Node& node);
  void erase(Shard& shard, Node& node) { take(shard, node); }
  static Node* victimOf(Shard& shard, int round);
  // Without any.
  void trim(size_t grown);
  size_t purgeShard(Shard& shard, const Selector& what);
  bool purgeSome(Shard& shard, const Selector& what, size_t& count);

  const size_t max_bytes_;
  const Addressing addressing_;
  std::array<Shard, kShards> shards_;
  std::array<std::atomic<uint32_t>, kEpochs> epochs_{};
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> incoming_{0};
  std::atomic<uint64_t> next_generation_{1};
  PurgeLog purges_;
};

}  // namespace sluice::cache
