#include "source/stream/format_cel.h"

#include <cmath>
#include <cstring>
#include <string>

#include "source/base/text.h"
#include "source/match/cel/scalar_text.h"
#include "source/stream/attributes.h"
#include "source/stream/formatter.h"

namespace sluice::stream {
namespace {

namespace cel = match::cel;
using cel::Memory;
using cel::Value;
using Kind = Value::Kind;

// Deeper values are cut off: only a loop makes such.
constexpr int kMaxDepth = 64;

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
  if (depth > kMaxDepth || !memory.spend(1)) return false;
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

// A text that outlives this call: in the scratch, or with the request if it is too long for it.
std::string_view kept(std::string_view text, const FormatContext& context, FormatScratch& scratch) {
  if (text.size() > scratch.bytes.size() && context.request != nullptr) return context.request->arena().copy(text);
  text = text.substr(0, scratch.bytes.size());
  if (!text.empty()) std::memcpy(scratch.bytes.data(), text.data(), text.size());
  return {scratch.bytes.data(), text.size()};
}

FormatValue textOf(const Value& value, const FormatOperator& op, const Memory& memory, const FormatContext& context,
                   FormatScratch& scratch) {
  const std::string_view text = value.text().substr(0, op.limit);
  const bool borrowed = text.empty() || !memory.owns(text.data());
  return {FormatValue::Kind::kText, borrowed ? text : kept(text, context, scratch), 0, nullptr};
}

FormatValue jsonOf(const Value& value, FormatValue::Kind kind, size_t limit, Memory& memory,
                   const FormatContext& context, FormatScratch& scratch) {
  std::string json;
  if (!appendValue(value, memory, json, 0)) return {};
  return {kind, kept(std::string_view(json).substr(0, limit), context, scratch), 0, nullptr};
}

}  // namespace

absl::Status parseCel(const FormatOperator::Spelling& spelling, FormatOperator& op) {
  if (spelling.arguments.empty()) {
    return absl::InvalidArgumentError(base::strCat("%", spelling.name, "%: write %", spelling.name, "(EXPRESSION)%"));
  }
  auto program = cel::Program::compile(spelling.arguments, attributeNames());
  if (!program.ok()) {
    return absl::InvalidArgumentError(
        base::strCat("%", spelling.name, "(", spelling.arguments, ")%: ", base::toStd(program.status().message())));
  }
  op.program = *std::move(program);
  op.limit = spelling.limit;
  return absl::OkStatus();
}

FormatValue readCel(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch) {
  const cel::Limits limits;
  Memory memory(limits.bytes, limits.steps);
  const Value value = op.program->evaluate(Attributes(context), memory);
  switch (value.kind()) {
    case Kind::kError:
    case Kind::kNull:
      return {};
    case Kind::kString:
    case Kind::kBytes:
      return textOf(value, op, memory, context, scratch);
    case Kind::kList:
    case Kind::kMap:
      return jsonOf(value, FormatValue::Kind::kText, op.limit, memory, context, scratch);
    default: {
      cel::ScalarText room;
      const std::string_view text = cel::writeScalar(value, room)->substr(0, op.limit);
      return {FormatValue::Kind::kText, kept(text, context, scratch), 0, nullptr};
    }
  }
}

// A length limits texts: half of a number or a list would be another one, or none.
FormatValue readTypedCel(const FormatOperator& op, const FormatContext& context, FormatScratch& scratch) {
  const cel::Limits limits;
  Memory memory(limits.bytes, limits.steps);
  const Value value = op.program->evaluate(Attributes(context), memory);
  if (value.is(Kind::kError) || value.is(Kind::kNull)) return {};
  if (value.is(Kind::kString) || value.is(Kind::kBytes)) return textOf(value, op, memory, context, scratch);
  return jsonOf(value, FormatValue::Kind::kJson, std::string_view::npos, memory, context, scratch);
}

}  // namespace sluice::stream
