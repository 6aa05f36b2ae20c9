// %CEL(EXPRESSION)% and %TYPED_CEL(EXPRESSION)%: an expression over the attributes of a stream.
// (proto: envoy.extensions.formatter.cel.v3.Cel)
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "source/base/text.h"
#include "source/match/cel/scalar_text.h"
#include "source/stream/attributes.h"
#include "source/stream/format_arguments.h"
#include "source/stream/formatter.h"

namespace sluice::stream {
namespace {

namespace cel = match::cel;
using cel::Memory;
using cel::Value;
using Kind = Value::Kind;

// Deeper values are cut off: only a loop makes such.
constexpr int kMaxDepth = 64;
// As JSON a value may be much larger than in memory: a list may name one text many times.
constexpr size_t kMaxJson = 1 << 20;

bool appendValue(const Value& value, Memory& memory, std::string& out, int depth);

void appendQuoted(std::string_view text, std::string& out) {
  out += '"';
  appendJsonEscaped(text, out);
  out += '"';
}

bool appendList(const cel::List& list, Memory& memory, std::string& out, int depth) {
  out += '[';
  for (size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out += ',';
    if (!appendValue(list.at(i, memory), memory, out, depth + 1)) return false;
  }
  out += ']';
  return true;
}

bool appendMap(const cel::Map& map, Memory& memory, std::string& out, int depth) {
  const Value keys = map.keys(memory);
  if (keys.isError()) return false;
  out += '{';
  for (size_t i = 0; i < keys.asList().size(); ++i) {
    const Value key = keys.asList().at(i, memory);
    const auto value = map.find(key, memory);
    if (!value) continue;
    if (out.back() != '{') out += ',';
    cel::ScalarText room;
    appendQuoted(key.is(Kind::kString) ? key.text() : cel::writeScalar(key, room).value_or(std::string_view()), out);
    out += ':';
    if (!appendValue(*value, memory, out, depth + 1)) return false;
  }
  out += '}';
  return true;
}

// False: it is an error somewhere, or costs more than it may.
bool appendValue(const Value& value, Memory& memory, std::string& out, int depth) {
  if (depth > kMaxDepth || out.size() > kMaxJson || !memory.spend(1)) return false;
  cel::ScalarText room;
  switch (value.kind()) {
    case Kind::kError:
      return false;
    case Kind::kList:
      return appendList(value.asList(), memory, out, depth);
    case Kind::kMap:
      return appendMap(value.asMap(), memory, out, depth);
    case Kind::kString:
    case Kind::kBytes:
      if (!memory.spend(value.text().size() / Memory::kStepBytes)) return false;
      appendQuoted(value.text(), out);
      return true;
    case Kind::kNull:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
      out += *cel::writeScalar(value, room);
      return true;
    case Kind::kDouble:
      if (std::isfinite(value.asReal())) {
        out += *cel::writeScalar(value, room);
        return true;
      }
      [[fallthrough]];  // JSON has no such numbers
    default:
      appendQuoted(*cel::writeScalar(value, room), out);
      return true;
  }
}

// A text that outlives this call: in the scratch.
std::string_view kept(std::string_view text, FormatScratch& scratch) {
  if (text.size() > scratch.bytes.size()) return std::get<std::string>(scratch.made.value = std::string(text));
  if (!text.empty()) std::memcpy(scratch.bytes.data(), text.data(), text.size());
  return {scratch.bytes.data(), text.size()};
}

FormatValue textOf(const Value& value, size_t limit, const Memory& memory, FormatScratch& scratch) {
  const std::string_view text = value.text().substr(0, limit);
  const bool borrowed = text.empty() || !memory.owns(text.data());
  return {FormatValue::Kind::kText, borrowed ? text : kept(text, scratch), 0, nullptr};
}

FormatValue jsonOf(const Value& value, FormatValue::Kind kind, size_t limit, Memory& memory, FormatScratch& scratch) {
  std::string json;
  if (!appendValue(value, memory, json, 0)) return {};
  if (json.size() > limit) json.resize(limit);
  return {kind, std::get<std::string>(scratch.made.value = std::move(json)), 0, nullptr};
}

// Of what an expression says; null, and what has no value, is missing.
class CelOperator : public ExtendedOperator {
 public:
  CelOperator(cel::Program::Ptr program, size_t limit) : limit_(limit), program_(std::move(program)) {}

  FormatValue read(const FormatContext& context, FormatScratch& scratch) const final {
    const cel::Limits limits;
    Memory memory(limits.bytes, limits.steps);
    const Value value = program_->evaluate(Attributes(context), memory);
    if (value.is(Kind::kError) || value.is(Kind::kNull)) return {};
    if (value.is(Kind::kString) || value.is(Kind::kBytes)) return textOf(value, limit_, memory, scratch);
    return show(value, memory, scratch);
  }

 protected:
  // No text.
  virtual FormatValue show(const Value& value, Memory& memory, FormatScratch& scratch) const = 0;

  const size_t limit_;

 private:
  const cel::Program::Ptr program_;
};

// As text, lists and maps as JSON.
class CelText final : public CelOperator {
 public:
  using CelOperator::CelOperator;

 private:
  FormatValue show(const Value& value, Memory& memory, FormatScratch& scratch) const override {
    if (value.is(Kind::kList) || value.is(Kind::kMap)) {
      return jsonOf(value, FormatValue::Kind::kText, limit_, memory, scratch);
    }
    cel::ScalarText room;
    const std::string_view text = cel::writeScalar(value, room)->substr(0, limit_);
    return {FormatValue::Kind::kText, kept(text, scratch), 0, nullptr};
  }
};

// As what it is: texts, and other values as JSON. The length limits texts only: half of a number or a list would be
// another one, or none.
class CelTyped final : public CelOperator {
 public:
  using CelOperator::CelOperator;

 private:
  FormatValue show(const Value& value, Memory& memory, FormatScratch& scratch) const override {
    return jsonOf(value, FormatValue::Kind::kJson, std::string_view::npos, memory, scratch);
  }
};

template <typename Read>
absl::Status parse(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  if (spelling.arguments.empty()) {
    return absl::InvalidArgumentError(base::strCat("%", spelling.name, "%: write %", spelling.name, "(EXPRESSION)%"));
  }
  auto program = cel::Program::compile(spelling.arguments, attributeNames());
  if (!program.ok()) {
    return absl::InvalidArgumentError(
        base::strCat("%", spelling.name, "(", spelling.arguments, ")%: ", base::toStd(program.status().message())));
  }
  op.extended = std::make_shared<const Read>(*std::move(program), spelling.limit);
  return absl::OkStatus();
}

}  // namespace

absl::Status parseCel(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  return parse<CelText>(spelling, op);
}

absl::Status parseTypedCel(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  return parse<CelTyped>(spelling, op);
}

}  // namespace sluice::stream
