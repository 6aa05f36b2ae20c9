// Memory of one stream: bump allocation, released all at once.
//
// Thread: the worker that owns the stream. Nothing is destroyed: only trivially destructible types and text live here.
// A recycled arena (reset) keeps its first block, so a request on a warm worker allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice::base {

class Arena {
 public:
  static constexpr size_t kBlockSize = 4096;

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised memory, aligned for any scalar. `size` in bytes.
  char* allocate(size_t size) {
    size = (size + 7) & ~size_t{7};
    if (size <= static_cast<size_t>(end_ - next_)) {
      char* out = next_;
      next_ += size;
      return out;
    }
    return allocateSlow(size);
  }

  template <typename T>
  T* allocateArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    return reinterpret_cast<T*>(allocate(sizeof(T) * count));
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* out = allocate(text.size());
    std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }

  // Joins pieces into one text.
  template <typename... Pieces>
  std::string_view concat(Pieces... pieces) {
    const size_t size = (std::string_view(pieces).size() + ... + 0);
    if (size == 0) return {};
    char* out = allocate(size);
    char* at = out;
    auto append = [&at](std::string_view piece) {
      if (!piece.empty()) std::memcpy(at, piece.data(), piece.size());
      at += piece.size();
    };
    (append(pieces), ...);
    return {out, size};
  }

  // Forgets everything; keeps the first block.
  void reset() {
    if (blocks_.empty()) return;
    blocks_.resize(1);
    next_ = blocks_[0].get();
    end_ = next_ + kBlockSize;
    used_blocks_bytes_ = kBlockSize;
  }

  // Bytes held from the heap.
  size_t heldBytes() const { return used_blocks_bytes_; }

 private:
  // Out of line, so that allocate() is inlined where it is called.
  [[gnu::noinline]] char* allocateSlow(size_t size) {
    if (blocks_.empty()) {
      blocks_.push_back(std::make_unique<char[]>(kBlockSize));
      next_ = blocks_[0].get();
      end_ = next_ + kBlockSize;
      used_blocks_bytes_ = kBlockSize;
      if (size <= kBlockSize) return allocate(size);
    }
    const size_t block = size > kBlockSize / 2 ? size : kBlockSize;
    blocks_.push_back(std::make_unique<char[]>(block));
    used_blocks_bytes_ += block;
    char* out = blocks_.back().get();
    if (block == size) return out;  // a block of its own; the current one goes on
    next_ = out + size;
    end_ = out + block;
    return out;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  char* end_ = nullptr;
  size_t used_blocks_bytes_ = 0;
};

}  // namespace sluice::base
