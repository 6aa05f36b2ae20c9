// What the filters of one stream share by name: objects of their own types, or plain text.
// Thread: the worker of the stream. Made on first use only (see StreamInfo). A copy has the same objects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
    // What %FILTER_STATE(NAME:FIELD:field)% shows; nothing: it has no such field. Valid as long.
    virtual std::optional<std::string_view> field(std::string_view) const { return std::nullopt; }
  };
  class Text final : public Object {
   public:
    explicit Text(std::string_view text) : text_(text) {}
    std::string_view text() const override { return text_; }

   private:
    const std::string text_;
  };

  // How far an object goes beyond the stream, by the transport socket internal_upstream.
  // (proto: FilterStateValue.SharedWithUpstream)
  enum class Sharing : uint8_t {
    kNone,
    kOnce,        // to the connection that is made for the stream
    kTransitive,  // from there to those that are made for it, and so on
  };
  struct Options {
    Sharing sharing = Sharing::kNone;
    bool read_only = false;  // what has that name stays as it is, whoever sets it
  };

  // Replaces what has that name. False: that is read-only. Objects that are shared are never changed.
  bool set(std::string_view name, std::shared_ptr<Object> object, Options options);
  bool set(std::string_view name, std::shared_ptr<Object> object) { return set(name, std::move(object), Options()); }
  bool set(std::string_view name, std::string_view text) { return set(name, std::make_shared<Text>(text)); }

  // Null if there is none, or if it is of another type.
  template <typename T>
  T* get(std::string_view name) const {
    const Entry* known = find(name);
    return known == nullptr ? nullptr : dynamic_cast<T*>(known->object.get());
  }

  size_t size() const { return entries_.size(); }
  // In the order in which they came; `index` < size().
  std::string_view nameAt(size_t index) const { return entries_[index].name; }

  // What a connection gets that is made for this stream: the objects that are shared. Null: none is.
  std::shared_ptr<const FilterState> shared() const;
  // Equal for equal names, texts and options: what connections are told apart by that were given it.
  std::string identity() const;

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<Object> object;
    Options options;
  };
  const Entry* find(std::string_view name) const;

  std::vector<Entry> entries_;
};

}  // namespace sluice::stream
