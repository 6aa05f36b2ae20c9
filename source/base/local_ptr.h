// Shared ownership within one thread: a count in the object, no atomics. For a worker's wrappers around immutable
// snapshots, which streams pin.
#pragma once

#include <cstdint>
#include <utility>

namespace sluice::base {

template <typename T>
class LocalPtr;

// Base of what LocalPtr holds. Starts with no owner.
class LocalCounted {
 public:
  LocalCounted() = default;
  LocalCounted(const LocalCounted&) = delete;
  LocalCounted& operator=(const LocalCounted&) = delete;

 private:
  template <typename T>
  friend class LocalPtr;
  uint32_t count_ = 0;
};

template <typename T>
class LocalPtr {
 public:
  LocalPtr() = default;
  explicit LocalPtr(T* object) : object_(object) {
    if (object_ != nullptr) ++object_->count_;
  }
  LocalPtr(const LocalPtr& other) : LocalPtr(other.object_) {}
  LocalPtr(LocalPtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  LocalPtr& operator=(LocalPtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~LocalPtr() { reset(); }

  void reset() {
    if (T* object = std::exchange(object_, nullptr); object != nullptr && --object->count_ == 0) delete object;
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
LocalPtr<T> makeLocal(Args&&... args) {
  return LocalPtr<T>(new T(std::forward<Args>(args)...));
}

}  // namespace sluice::base
