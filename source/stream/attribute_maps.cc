#include "source/stream/attribute_maps.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "source/base/ascii.h"

namespace sluice::stream {
namespace {

using match::cel::ArrayList;
using match::cel::Memory;
using Value = match::cel::Value;
using Kind = Value::Kind;
using Found = std::optional<Value>;

// Looking at so many fields costs a step of an evaluation.
constexpr size_t kFieldsInStep = 8;
constexpr std::string_view kFilterMetadata = "filter_metadata";
// Of a request: how they are spelled, and where they are.
constexpr std::pair<std::string_view, std::string_view http::RequestHeaders::*> kPseudo[] = {
    {":method", &http::RequestHeaders::method},
    {":path", &http::RequestHeaders::path},
    {":authority", &http::RequestHeaders::authority},
    {":scheme", &http::RequestHeaders::scheme},
};

// `text` in lower case; null: memory is used up.
const char* lowered(std::string_view text, Memory& memory) {
  char* const out = memory.allocate(text.size());
  if (out == nullptr) return nullptr;
  std::transform(text.begin(), text.end(), out, base::lower);
  return out;
}

// A list of `count` values that `at(index)` makes.
template <typename At>
Value listOf(size_t count, Memory& memory, At at) {
  Value* const values = memory.allocateArray<Value>(count);
  for (size_t i = 0; values != nullptr && i < count; ++i) values[i] = at(i);
  return ArrayList::of(values, count, memory);
}

Value valueOf(const MetadataValue& value, Memory& memory);

class MetadataListView final : public match::cel::List {
 public:
  explicit MetadataListView(const MetadataList& list) : list_(list) {}
  size_t size() const override { return list_.size(); }
  Value at(size_t index, Memory& memory) const override { return valueOf(list_[index], memory); }

 private:
  const MetadataList& list_;
};

// Numbers are doubles, as in google.protobuf.Value.
Value valueOf(const MetadataValue& value, Memory& memory) {
  struct Visitor {
    Memory& memory;
    Value operator()(std::monostate) const { return Value::null(); }
    Value operator()(bool value) const { return Value::boolean(value); }
    Value operator()(double value) const { return Value::real(value); }
    Value operator()(const std::string& value) const { return Value::string(value); }
    Value operator()(const MetadataList& value) const { return Value::list(memory.make<MetadataListView>(value)); }
    Value operator()(const MetadataFields& value) const { return Value::map(memory.make<FieldMap>(value)); }
  };
  return std::visit(Visitor{memory}, value.value);
}

}  // namespace

// --- headers ---------------------------------------------------------------------------------------------------------

// Each name once. Lists are short, and only expressions that count or walk come here.
template <typename Visit>
void HeaderMap::eachName(Visit visit) const {
  if (request_ != nullptr) {
    for (const auto& [name, member] : kPseudo) {
      if (!(request_->*member).empty()) visit(name);
    }
  }
  for (const http::Field& field : fields_) {
    const bool seen = std::any_of(fields_.begin(), &field, [&](const http::Field& f) { return f.name == field.name; });
    if (!seen) visit(field.name);
  }
}

size_t HeaderMap::size() const {
  size_t count = 0;
  eachName([&count](std::string_view) { ++count; });
  return count;
}

Found HeaderMap::find(const Value& key, Memory& memory) const {
  if (!key.is(Kind::kString)) return std::nullopt;
  if (!memory.spend(fields_.size() / kFieldsInStep)) return Value::error(match::cel::why::kSteps);
  std::string_view name = key.text();
  if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    const char* const lower = lowered(name, memory);
    if (lower == nullptr) return Value::error(match::cel::why::kMemory);
    name = {lower, name.size()};
  }
  if (request_ != nullptr) {
    if (name == "host") name = ":authority";
    for (const auto& [pseudo, member] : kPseudo) {
      if (name != pseudo) continue;
      const std::string_view value = request_->*member;
      return value.empty() ? Found() : Value::string(value);
    }
  }
  const auto matches = [name](const http::Field& field) { return field.name == name; };
  const http::Field* const first = std::find_if(fields_.begin(), fields_.end(), matches);
  if (first == fields_.end()) return std::nullopt;
  if (std::none_of(first + 1, fields_.end(), matches)) return Value::string(first->value);
  return joined(name, memory);
}

Value HeaderMap::joined(std::string_view name, Memory& memory) const {
  const std::string_view glue = name == "cookie" ? "; " : ",";
  size_t size = 0;
  for (const http::Field& field : fields_) {
    if (field.name == name) size += field.value.size() + glue.size();
  }
  char* const out = memory.allocate(size);
  if (out == nullptr) return Value::error(match::cel::why::kMemory);
  char* end = out;
  for (const http::Field& field : fields_) {
    if (field.name != name) continue;
    if (end != out) end = std::copy(glue.begin(), glue.end(), end);
    end = std::copy(field.value.begin(), field.value.end(), end);
  }
  return Value::string({out, static_cast<size_t>(end - out)});
}

Value HeaderMap::keys(Memory& memory) const {
  const size_t count = size();
  if (!memory.spend(count)) return Value::error(match::cel::why::kSteps);
  std::string_view* const names = memory.allocateArray<std::string_view>(count);
  if (names == nullptr) return Value::error(match::cel::why::kMemory);
  size_t filled = 0;
  eachName([&](std::string_view name) { names[filled++] = name; });
  return listOf(count, memory, [names](size_t i) { return Value::string(names[i]); });
}

// --- metadata --------------------------------------------------------------------------------------------------------

Found FieldMap::find(const Value& key, Memory& memory) const {
  if (!key.is(Kind::kString)) return std::nullopt;
  if (!memory.spend(fields_.size() / kFieldsInStep)) return Value::error(match::cel::why::kSteps);
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&key](const MetadataField& field) { return field.name == key.text(); });
  if (found == fields_.end()) return std::nullopt;
  return valueOf(found->value, memory);
}

Value FieldMap::keys(Memory& memory) const {
  return listOf(fields_.size(), memory, [this](size_t i) { return Value::string(fields_[i].name); });
}

Found MetadataMap::find(const Value& key, Memory& memory) const {
  if (!key.is(Kind::kString) || key.text() != kFilterMetadata) return std::nullopt;
  return Value::map(memory.make<FieldMap>(by_filter_));
}

Value MetadataMap::keys(Memory& memory) const {
  return listOf(1, memory, [](size_t) { return Value::string(kFilterMetadata); });
}

// --- filter state ----------------------------------------------------------------------------------------------------

Found StateMap::find(const Value& key, Memory& memory) const {
  if (!key.is(Kind::kString)) return std::nullopt;
  if (!memory.spend(state_.size() / kFieldsInStep)) return Value::error(match::cel::why::kSteps);
  const auto* found = state_.get<FilterState::Object>(key.text());
  if (found == nullptr) return std::nullopt;
  return Value::bytes(found->text());
}

Value StateMap::keys(Memory& memory) const {
  return listOf(state_.size(), memory, [this](size_t i) { return Value::string(state_.nameAt(i)); });
}

}  // namespace sluice::stream
