// Bytes that wait for their turn, first in first out, in blocks of the worker's pool. Empty queues hold no memory.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "source/buffer/block_pool.h"

namespace sluice::buffer {

class ByteQueue {
 public:
  explicit ByteQueue(BlockPool& pool) : pool_(pool) {}
  ByteQueue(const ByteQueue&) = delete;
  ByteQueue& operator=(const ByteQueue&) = delete;
  ~ByteQueue() { clear(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      if (blocks_.empty() || blocks_.back().end == BlockPool::kBlockSize) blocks_.push_back({pool_.take(), 0, 0});
      Block& block = blocks_.back();
      const size_t n = std::min(bytes.size(), BlockPool::kBlockSize - block.end);
      std::memcpy(block.bytes.get() + block.end, bytes.data(), n);
      block.end += n;
      size_ += n;
      bytes.remove_prefix(n);
    }
  }

  // The first waiting bytes that lie together; empty if there are none. Valid until the queue changes.
  std::string_view front() const {
    if (blocks_.empty()) return {};
    const Block& block = blocks_[first_];
    return {block.bytes.get() + block.begin, block.end - block.begin};
  }

  // Fills up to `max` vectors with the first waiting bytes; returns how many.
  int peek(iovec* vectors, int max) const {
    int count = 0;
    for (size_t i = first_; i < blocks_.size() && count < max; ++i, ++count) {
      vectors[count] = {blocks_[i].bytes.get() + blocks_[i].begin, blocks_[i].end - blocks_[i].begin};
    }
    return count;
  }

  // Drops the first `count` (at most size()) bytes.
  void consume(size_t count) {
    size_ -= count;
    while (count > 0) {
      Block& block = blocks_[first_];
      const size_t n = std::min(count, block.end - block.begin);
      block.begin += n;
      count -= n;
      if (block.begin == block.end) {
        pool_.give(std::move(block.bytes));
        ++first_;
      }
    }
    if (size_ == 0) {
      release();
    } else if (first_ > 32) {
      blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<long>(first_));
      first_ = 0;
    }
  }

  void clear() {
    for (size_t i = first_; i < blocks_.size(); ++i) pool_.give(std::move(blocks_[i].bytes));
    size_ = 0;
    release();
  }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t begin;
    size_t end;
  };
  // The vector keeps one place, so that a connection in use does not allocate for each answer.
  void release() {
    for (size_t i = first_; i < blocks_.size(); ++i) {
      if (blocks_[i].bytes) pool_.give(std::move(blocks_[i].bytes));
    }
    blocks_.clear();
    first_ = 0;
  }

  BlockPool& pool_;
  std::vector<Block> blocks_;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace sluice::buffer
