// What the filters of one stream share by name: objects of their own types, or plain text.
// Thread: the worker of the stream. Made on first use only (see StreamInfo).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::stream {

class FilterState {
 public:
  class Object {
   public:
    virtual ~Object() = default;
    // What %FILTER_STATE(NAME)% shows; empty: nothing. Valid until the object changes.
    virtual std::string_view text() const { return {}; }
  };
  class Text final : public Object {
   public:
    explicit Text(std::string_view text) : text_(text) {}
    std::string_view text() const override { return text_; }

   private:
    const std::string text_;
  };

  // Replaces what has that name.
  void set(std::string_view name, std::unique_ptr<Object> object) {
    if (std::unique_ptr<Object>* known = find(name)) {
      *known = std::move(object);
    } else {
      objects_.emplace_back(name, std::move(object));
    }
  }
  void set(std::string_view name, std::string_view text) { set(name, std::make_unique<Text>(text)); }

  // Null if there is none, or if it is of another type.
  template <typename T>
  T* get(std::string_view name) const {
    const std::unique_ptr<Object>* known = const_cast<FilterState*>(this)->find(name);
    return known == nullptr ? nullptr : dynamic_cast<T*>(known->get());
  }

  size_t size() const { return objects_.size(); }
  // In the order in which they came; `index` < size().
  std::string_view nameAt(size_t index) const { return objects_[index].first; }

 private:
  std::unique_ptr<Object>* find(std::string_view name) {
    for (auto& [known, object] : objects_) {
      if (known == name) return &object;
    }
    return nullptr;
  }

  std::vector<std::pair<std::string, std::unique_ptr<Object>>> objects_;
};

}  // namespace sluice::stream
