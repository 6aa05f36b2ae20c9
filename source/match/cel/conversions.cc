#include "source/match/cel/conversions.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/ascii.h"
#include "source/base/text.h"
#include "source/base/utf8.h"
#include "source/match/cel/scalar_text.h"
#include "source/match/cel/time.h"

namespace sluice::match::cel::convert {
namespace {

using Kind = Value::Kind;

Value malformed() {
  return Value::error("the text is no value of that type");
}

template <typename Integer>
std::optional<Integer> integerOf(std::string_view text) {
  Integer out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

// Doubles are cut off towards zero. Their bounds are excluded: 2^63 is what INT64_MAX is as a double.
Value toInt(const Arguments& args) {
  const Value& value = args[0];
  constexpr double k2To63 = 9223372036854775808.0;
  switch (value.kind()) {
    case Kind::kInt:
      return value;
    case Kind::kUint:
      return value.asUint() > static_cast<uint64_t>(INT64_MAX) ? outOfRange() : Value::integer(value.asInt());
    case Kind::kDouble:
      if (!(value.asReal() > -k2To63 && value.asReal() < k2To63)) return outOfRange();
      return Value::integer(static_cast<int64_t>(value.asReal()));
    case Kind::kString: {
      const auto number = integerOf<int64_t>(value.text());
      return number ? Value::integer(*number) : malformed();
    }
    case Kind::kTimestamp:
      return Value::integer(value.asTime().seconds);
    default:
      return noOverload();
  }
}

Value toUint(const Arguments& args) {
  const Value& value = args[0];
  constexpr double k2To64 = 18446744073709551616.0;
  switch (value.kind()) {
    case Kind::kUint:
      return value;
    case Kind::kInt:
      return value.asInt() < 0 ? outOfRange() : Value::unsignedInteger(value.asUint());
    case Kind::kDouble:
      if (!(value.asReal() >= 0 && value.asReal() < k2To64)) return outOfRange();
      return Value::unsignedInteger(static_cast<uint64_t>(value.asReal()));
    case Kind::kString: {
      const auto number = integerOf<uint64_t>(value.text());
      return number ? Value::unsignedInteger(*number) : malformed();
    }
    default:
      return noOverload();
  }
}

Value toDouble(const Arguments& args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::kDouble:
      return value;
    case Kind::kInt:
      return Value::real(static_cast<double>(value.asInt()));
    case Kind::kUint:
      return Value::real(static_cast<double>(value.asUint()));
    case Kind::kString: {
      const std::string_view text = value.text();
      double out = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      return error == std::errc() && end == text.data() + text.size() ? Value::real(out) : malformed();
    }
    default:
      return noOverload();
  }
}

Value toString(const Arguments& args) {
  const Value& value = args[0];
  if (value.is(Kind::kString)) return value;
  if (value.is(Kind::kBytes)) {
    if (!args.memory.spend(value.text().size() / Memory::kStepBytes)) return Value::error(why::kSteps);
    return base::isUtf8(value.text()) ? Value::string(value.text()) : Value::error("the bytes are no UTF-8");
  }
  ScalarText room;
  const auto text = writeScalar(value, room);
  if (!text || value.is(Kind::kNull) || value.is(Kind::kType)) return noOverload();
  char* const out = args.memory.allocate(text->size());
  if (out == nullptr) return Value::error(why::kMemory);
  std::memcpy(out, text->data(), text->size());
  return Value::string({out, text->size()});
}

Value toBytes(const Arguments& args) {
  if (args[0].is(Kind::kBytes)) return args[0];
  return args[0].is(Kind::kString) ? Value::bytes(args[0].text()) : noOverload();
}

Value toBool(const Arguments& args) {
  if (args[0].is(Kind::kBool)) return args[0];
  if (!args[0].is(Kind::kString)) return noOverload();
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (args[0].text() == yes) return Value::boolean(true);
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (args[0].text() == no) return Value::boolean(false);
  }
  return malformed();
}

Value toTimestamp(const Arguments& args) {
  if (args[0].is(Kind::kTimestamp)) return args[0];
  if (args[0].is(Kind::kInt)) {
    const auto time = timestampOf(args[0].asInt());
    return time ? Value::timestamp(*time) : outOfRange();
  }
  if (!args[0].is(Kind::kString)) return noOverload();
  const auto time = parseTimestamp(args[0].text());
  return time ? Value::timestamp(*time) : malformed();
}

Value toDuration(const Arguments& args) {
  if (args[0].is(Kind::kDuration)) return args[0];
  if (!args[0].is(Kind::kString)) return noOverload();
  const auto time = parseDuration(args[0].text());
  return time ? Value::duration(*time) : malformed();
}

Value typeOfValue(const Arguments& args) {
  return Value::type(args[0].kind());
}

Value same(const Arguments& args) {
  return args[0];
}

}  // namespace sluice::match::cel::convert
