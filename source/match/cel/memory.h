// What one evaluation may spend: memory and steps. The first block of memory is inside (so on the stack of the caller),
// the heap has more. Everything is released at once; nothing is destroyed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::match::cel {

class Memory {
 public:
  static constexpr size_t kInside = 2048;

  // `bytes` may come from the heap.
  Memory(size_t bytes, size_t steps) : left_(bytes), steps_(steps) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // False: that is more than was left. A step is a node that is evaluated, a value that is compared, or kStepBytes
  // bytes that are looked at.
  bool spend(size_t steps) {
    const bool enough = steps <= steps_;
    steps_ -= enough ? steps : steps_;
    return enough;
  }
  static constexpr size_t kStepBytes = 64;

  // Uninitialised, aligned for any value. Null: the bound is reached.
  char* allocate(size_t size) {
    if (size > left_ + kInside) return nullptr;
    size = (size + 7) & ~size_t{7};
    if (size > static_cast<size_t>(end_ - next_) && !grow(size)) return nullptr;
    return std::exchange(next_, next_ + size);
  }

  template <typename T>
  T* allocateArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    if (count > (left_ + kInside) / sizeof(T)) return nullptr;
    return reinterpret_cast<T*>(allocate(sizeof(T) * count));
  }

  // Null: the bound is reached.
  template <typename T, typename... Arguments>
  T* make(Arguments&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 8);
    char* const room = allocate(sizeof(T));
    return room == nullptr ? nullptr : new (room) T{std::forward<Arguments>(arguments)...};
  }

  // Whether `at` lies here, and so goes with the evaluation.
  bool owns(const char* at) const {
    const auto within = [at](const char* begin, size_t size) {
      return !std::less<>()(at, begin) && std::less<>()(at, begin + size);
    };
    return within(inside_, kInside) || std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
             return within(block.bytes.get(), block.size);
           });
  }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size;
  };
  static constexpr size_t kBlock = 8192;

  [[gnu::noinline]] bool grow(size_t size) {
    const size_t block = size > kBlock ? size : kBlock;
    if (block > left_) return false;
    left_ -= block;
    blocks_.push_back({std::unique_ptr<char[]>(new char[block]), block});
    next_ = blocks_.back().bytes.get();
    end_ = next_ + block;
    return true;
  }

  alignas(8) char inside_[kInside];
  char* next_ = inside_;
  char* end_ = inside_ + kInside;
  size_t left_;
  size_t steps_;
  std::vector<Block> blocks_;
};

}  // namespace sluice::match::cel
