// A value of an expression: small, copied freely, owner of nothing. Texts, lists and maps are borrowed from what is
// looked at, from the program, or from the memory of the evaluation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source/match/cel/memory.h"

namespace sluice::match::cel {

class List;
class Map;

// A point in time (since the epoch, UTC) or a span of it. 0 <= nanos < 1e9: -0.5 s is {-1, 500'000'000}.
struct Time {
  int64_t seconds = 0;
  int32_t nanos = 0;
  friend auto operator<=>(const Time&, const Time&) = default;
};

struct Value {
  enum class Kind : uint8_t {
    kError,  // text() says why: static text
    kNull,
    kBool,
    kInt,
    kUint,
    kDouble,
    kString,
    kBytes,
    kList,
    kMap,
    kTimestamp,
    kDuration,
    kType,  // number is another kind
  };

  static Value error(const char* why) { return Value(Kind::kError, std::string_view(why)); }
  static Value null() { return Value(Kind::kNull, int64_t{0}); }
  static Value boolean(bool value) { return Value(Kind::kBool, int64_t{value}); }
  static Value integer(int64_t value) { return Value(Kind::kInt, value); }
  static Value unsignedInteger(uint64_t value) { return Value(Kind::kUint, static_cast<int64_t>(value)); }
  static Value real(double value) {
    Value out(Kind::kDouble, int64_t{0});
    out.real_ = value;
    return out;
  }
  static Value string(std::string_view value) { return Value(Kind::kString, value); }
  static Value bytes(std::string_view value) { return Value(Kind::kBytes, value); }
  static Value timestamp(Time value) { return Value(Kind::kTimestamp, value); }
  static Value duration(Time value) { return Value(Kind::kDuration, value); }
  static Value type(Kind kind) { return Value(Kind::kType, static_cast<int64_t>(kind)); }
  // Null pointers: the memory of the evaluation is used up.
  static Value list(const List* value);
  static Value map(const Map* value);

  Value() : Value(Kind::kNull, int64_t{0}) {}

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool isError() const { return kind_ == Kind::kError; }
  bool isTrue() const { return kind_ == Kind::kBool && integer_ != 0; }

  // Each for values of that kind only.
  bool asBool() const { return integer_ != 0; }
  int64_t asInt() const { return integer_; }
  uint64_t asUint() const { return static_cast<uint64_t>(integer_); }
  double asReal() const { return real_; }
  std::string_view text() const { return {text_.data, text_.size}; }  // kString, kBytes, kError
  Time asTime() const { return {time_.seconds, time_.nanos}; }        // kTimestamp, kDuration
  Kind asType() const { return static_cast<Kind>(integer_); }
  const List& asList() const { return *list_; }
  const Map& asMap() const { return *map_; }

 private:
  Value(Kind kind, int64_t integer) : kind_(kind), integer_(integer) {}
  Value(Kind kind, std::string_view text) : kind_(kind), text_{text.data(), text.size()} {}
  Value(Kind kind, Time time) : kind_(kind), time_{time.seconds, time.nanos} {}

  struct Text {
    const char* data;
    size_t size;
  };
  struct Moment {
    int64_t seconds;
    int32_t nanos;
  };
  Kind kind_;
  union {
    int64_t integer_;
    double real_;
    Text text_;
    Moment time_;
    const List* list_;
    const Map* map_;
  };
};
static_assert(sizeof(Value) == 24);

// What both are made of: objects in the memory of the evaluation, or somewhere that outlives it. Never destroyed by way
// of these classes.
class List {
 public:
  virtual size_t size() const = 0;
  // `index` < size().
  virtual Value at(size_t index, Memory& memory) const = 0;

 protected:
  ~List() = default;
};

class Map {
 public:
  virtual size_t size() const = 0;
  // Nothing: there is no such key. Numbers are found by their value, whatever their type. An error: steps or memory are
  // used up, and it is not known.
  virtual std::optional<Value> find(const Value& key, Memory& memory) const = 0;
  // The keys in some order, as a list (an error where memory is used up).
  virtual Value keys(Memory& memory) const = 0;

 protected:
  ~Map() = default;
};

// Whether what was looked up is there, for has() and `in`: where that is not known, the error.
inline Value isThere(const std::optional<Value>& found) {
  return found && found->isError() ? *found : Value::boolean(found.has_value());
}

namespace why {
inline constexpr char kMemory[] = "the expression needs more memory than it may have";
inline constexpr char kSteps[] = "the expression takes more steps than it may";
inline constexpr char kNoOverload[] = "no such overload";
inline constexpr char kNoKey[] = "no such key";
inline constexpr char kNoAttribute[] = "no such attribute";
inline constexpr char kRange[] = "out of range";
inline constexpr char kIndex[] = "index out of range";
inline constexpr char kDivision[] = "division by zero";
inline constexpr char kDeep[] = "the value is nested too deep";
}  // namespace why

inline Value Value::list(const List* value) {
  if (value == nullptr) return error(why::kMemory);
  Value out(Kind::kList, int64_t{0});
  out.list_ = value;
  return out;
}
inline Value Value::map(const Map* value) {
  if (value == nullptr) return error(why::kMemory);
  Value out(Kind::kMap, int64_t{0});
  out.map_ = value;
  return out;
}

// "int", "null_type", "google.protobuf.Timestamp"
std::string_view nameOf(Value::Kind kind);
// The other way round; nothing for what names no type of the language.
std::optional<Value::Kind> typeOf(std::string_view name);

// Values side by side. `append` of a list that grows at its end takes the room behind it: the list before stays as it
// is, and a loop that collects costs each element once.
class ArrayList final : public List {
 public:
  // Borrows `values`, which outlive the evaluation. Null: memory is used up, which is an error.
  static Value of(Value* values, size_t size, Memory& memory);
  // `left` and `right` one behind the other; an error where memory is used up.
  static Value concat(const List& left, const List& right, Memory& memory);

  size_t size() const override { return size_; }
  Value at(size_t index, Memory&) const override { return room_->values[index]; }

 private:
  friend class Memory;
  struct Room {
    Value* values;
    uint32_t used, capacity;
  };
  ArrayList(Room* room, uint32_t size) : room_(room), size_(size) {}

  Room* room_;
  uint32_t size_;
};

// A map that an expression makes: few entries, found one after the other.
class EntryMap final : public Map {
 public:
  // key, value, key, value, ...
  EntryMap(const Value* entries, size_t size) : entries_(entries), size_(size) {}
  size_t size() const override { return size_; }
  std::optional<Value> find(const Value& key, Memory& memory) const override;
  Value keys(Memory& memory) const override;

 private:
  const Value* entries_;
  size_t size_;
};

}  // namespace sluice::match::cel
