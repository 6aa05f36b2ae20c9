// Memory for a library that makes its state anew for each message: blocks that it frees are given again when it asks
// for as much, which it does for each message alike. Thread: its owner's.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <vector>

namespace sluice::compression {

class BlockCache {
 public:
  BlockCache() = default;
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;
  ~BlockCache() {
    for (Head* head : free_) std::free(head);
  }

  // Aligned for anything; aborts without memory, as `new` does here. Every block is released before the cache goes.
  void* allocate(size_t size) {
    for (size_t i = free_.size(); i-- > 0;) {
      if (free_[i]->size != size) continue;
      Head* found = free_[i];
      free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
      return found + 1;
    }
    auto* head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
    if (head == nullptr) std::abort();
    head->size = size;
    return head + 1;
  }
  void release(void* block) {
    if (block == nullptr) return;
    Head* head = static_cast<Head*>(block) - 1;
    if (free_.size() < kMostFree && head->size <= kLargestKept) {
      free_.push_back(head);
    } else {
      std::free(head);
    }
  }

  size_t idle() const { return free_.size(); }

  // As C libraries call them.
  static void* allocateFor(void* cache, size_t size) { return static_cast<BlockCache*>(cache)->allocate(size); }
  static void releaseFor(void* cache, void* block) { static_cast<BlockCache*>(cache)->release(block); }

 private:
  static constexpr size_t kMostFree = 16;
  // A window of 16 MiB, which a peer may ask for, is not held for ever by whoever had it once.
  static constexpr size_t kLargestKept = 1024 * 1024;

  struct alignas(std::max_align_t) Head {
    size_t size;
  };

  std::vector<Head*> free_;
};

}  // namespace sluice::compression
