#include "source/match/cel/value.h"

#include <algorithm>
#include <array>
#include <utility>

#include "source/match/cel/compare.h"

namespace sluice::match::cel {
namespace {

using Kind = Value::Kind;

constexpr std::pair<std::string_view, Kind> kTypes[] = {
    {"null_type", Kind::kNull},
    {"bool", Kind::kBool},
    {"int", Kind::kInt},
    {"uint", Kind::kUint},
    {"double", Kind::kDouble},
    {"string", Kind::kString},
    {"bytes", Kind::kBytes},
    {"list", Kind::kList},
    {"map", Kind::kMap},
    {"google.protobuf.Timestamp", Kind::kTimestamp},
    {"google.protobuf.Duration", Kind::kDuration},
    {"type", Kind::kType},
};

}  // namespace

std::string_view nameOf(Kind kind) {
  for (const auto& [name, known] : kTypes) {
    if (known == kind) return name;
  }
  return "error";
}

std::optional<Kind> typeOf(std::string_view name) {
  for (const auto& [known, kind] : kTypes) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

Value ArrayList::of(Value* values, size_t size, Memory& memory) {
  Room* const room = memory.make<Room>(values, static_cast<uint32_t>(size), static_cast<uint32_t>(size));
  if (values == nullptr || room == nullptr) return Value::error(why::kMemory);
  return Value::list(memory.make<ArrayList>(room, static_cast<uint32_t>(size)));
}

Value ArrayList::concat(const List& left, const List& right, Memory& memory) {
  const size_t before = left.size(), size = before + right.size();
  const auto* grown = dynamic_cast<const ArrayList*>(&left);
  Room* room = grown == nullptr ? nullptr : grown->room_;
  if (room == nullptr || room->used != before || size > room->capacity) {
    const size_t capacity = std::max<size_t>(size + before, 8);
    Value* const values = memory.allocateArray<Value>(capacity);
    room = memory.make<Room>(values, static_cast<uint32_t>(before), static_cast<uint32_t>(capacity));
    if (values == nullptr || room == nullptr) return Value::error(why::kMemory);
    for (size_t i = 0; i < before; ++i) values[i] = left.at(i, memory);
  }
  for (size_t i = before; i < size; ++i) room->values[i] = right.at(i - before, memory);
  room->used = static_cast<uint32_t>(size);
  return Value::list(memory.make<ArrayList>(room, static_cast<uint32_t>(size)));
}

std::optional<Value> EntryMap::find(const Value& key, Memory& memory) const {
  for (size_t i = 0; i < size_; ++i) {
    const Value same = equals(entries_[2 * i], key, memory);
    if (same.isError()) return same;
    if (same.asBool()) return entries_[2 * i + 1];
  }
  return std::nullopt;
}

Value EntryMap::keys(Memory& memory) const {
  Value* const keys = memory.allocateArray<Value>(size_);
  for (size_t i = 0; keys != nullptr && i < size_; ++i) keys[i] = entries_[2 * i];
  return ArrayList::of(keys, size_, memory);
}

}  // namespace sluice::match::cel
