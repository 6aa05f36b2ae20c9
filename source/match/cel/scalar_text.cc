#include "source/match/cel/scalar_text.h"

#include <charconv>
#include <cmath>

#include "source/match/cel/time.h"

namespace sluice::match::cel {

std::optional<std::string_view> writeScalar(const Value& value, ScalarText& room) {
  using Kind = Value::Kind;
  const auto number = [&room](auto number) {
    const char* const end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
    return std::string_view(room.data(), static_cast<size_t>(end - room.data()));
  };
  switch (value.kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.asBool() ? "true" : "false";
    case Kind::kInt:
      return number(value.asInt());
    case Kind::kUint:
      return number(value.asUint());
    case Kind::kDouble:
      if (std::isnan(value.asReal())) return "nan";  // which has no sign
      return number(value.asReal());
    case Kind::kTimestamp:
      return writeTimestamp(value.asTime(), room);
    case Kind::kDuration:
      return writeDuration(value.asTime(), room);
    case Kind::kType:
      return nameOf(value.asType());
    default:
      return std::nullopt;
  }
}

}  // namespace sluice::match::cel
