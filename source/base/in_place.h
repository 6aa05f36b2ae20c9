// An object that may be there, in its owner: as a std::unique_ptr, without an allocation.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

namespace sluice::base {

template <typename T>
class InPlace {
 public:
  InPlace() = default;
  InPlace(const InPlace&) = delete;
  InPlace& operator=(const InPlace&) = delete;

  // In place of the one that is there.
  template <typename... Args>
  T& emplace(Args&&... args) {
    return object_.emplace(std::forward<Args>(args)...);
  }

  explicit operator bool() const { return object_.has_value(); }
  // Null: there is none.
  T* get() { return object_ ? &*object_ : nullptr; }
  const T* get() const { return object_ ? &*object_ : nullptr; }
  T* operator->() { return &*object_; }
  const T* operator->() const { return &*object_; }
  T& operator*() { return *object_; }
  const T& operator*() const { return *object_; }
  friend bool operator==(const InPlace& place, std::nullptr_t) { return !place.object_; }

 private:
  std::optional<T> object_;
};

}  // namespace sluice::base
