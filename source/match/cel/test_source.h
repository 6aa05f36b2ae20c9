// Attributes for tests: "request.path", "request.headers" (a map), "request.absent" (never there) and "flags" (a list).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/match/cel/program.h"
#include "source/match/cel/scalar_text.h"

namespace sluice::match::cel {

inline constexpr Attribute kTestAttributes[] = {
    {"request.path", Value::Kind::kString},
    {"request.headers", Value::Kind::kMap},
    {"request.absent", Value::Kind::kInt},
    {"flags", Value::Kind::kList},
};
inline constexpr std::string_view kTestMissing[] = {"request.weather"};
inline constexpr Vocabulary kTestVocabulary{kTestAttributes, kTestMissing};

class TestSource final : public Source {
 public:
  std::optional<Value> attribute(uint16_t number, Memory& memory) const override {
    ++asked;
    switch (number) {
      case 0:
        return Value::string("/shop/cart?id=7");
      case 1:
        return Value::map(&headers_);
      case 3:
        return ArrayList::of(flags_, 3, memory);
      default:
        return std::nullopt;
    }
  }

  mutable int asked = 0;

 private:
  const Value entries_[4] = {Value::string("host"), Value::string("a.test"), Value::string("x-user"),
                             Value::string("ann")};
  const EntryMap headers_{entries_, 2};
  mutable Value flags_[3] = {Value::integer(1), Value::integer(2), Value::integer(3)};
};

// A value as a literal of the language, or "error: WHY".
inline std::string show(const Value& value, Memory& memory, int depth = 0) {
  using Kind = Value::Kind;
  if (depth > 32) return "...";
  std::string out;
  switch (value.kind()) {
    case Kind::kError:
      return "error: " + std::string(value.text());
    case Kind::kString:
      return "'" + std::string(value.text()) + "'";
    case Kind::kBytes:
      return "b'" + std::string(value.text()) + "'";
    case Kind::kList:
      for (size_t i = 0; i < value.asList().size(); ++i) {
        out += (i == 0 ? "" : ", ") + show(value.asList().at(i, memory), memory, depth + 1);
      }
      return "[" + out + "]";
    case Kind::kMap: {
      const Value keys = value.asMap().keys(memory);
      if (keys.isError()) return show(keys, memory);
      for (size_t i = 0; i < keys.asList().size(); ++i) {
        const Value key = keys.asList().at(i, memory);
        out += (i == 0 ? "" : ", ") + show(key, memory, depth + 1) + ": ";
        out += show(value.asMap().find(key, memory).value_or(Value::null()), memory, depth + 1);
      }
      return "{" + out + "}";
    }
    default: {
      ScalarText room;
      out = *writeScalar(value, room);
      if (value.is(Kind::kUint)) out += "u";
      return out;
    }
  }
}

}  // namespace sluice::match::cel
