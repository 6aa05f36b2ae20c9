// Fixed blocks of memory for bytes that must wait, recycled per worker: connections hold blocks only while bytes wait.
//
// Thread: one worker. The pool outlives every queue made over it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace sluice::buffer {

class BlockPool {
 public:
  static constexpr size_t kBlockSize = 16 * 1024;

  // Keeps at most `max_free` blocks for later use; the rest goes back to the heap.
  explicit BlockPool(size_t max_free = 256) : max_free_(max_free) {}

  std::unique_ptr<char[]> take() {
    if (free_.empty()) return std::unique_ptr<char[]>(new char[kBlockSize]);
    std::unique_ptr<char[]> block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void give(std::unique_ptr<char[]> block) {
    if (free_.size() < max_free_) free_.push_back(std::move(block));
  }

 private:
  size_t max_free_;
  std::vector<std::unique_ptr<char[]>> free_;
};

}  // namespace sluice::buffer
