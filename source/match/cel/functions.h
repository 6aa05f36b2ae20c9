// The functions of the language, by the names of the published syntax tree. (langdef: Standard Definitions) Used by
// program.cc only.
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "source/match/cel/value.h"

namespace sluice::match::cel {

// What a function is called with; no argument is an error.
struct Arguments {
  Memory& memory;
  const Value* values;
  size_t size;
  // Made of a literal argument when the program was compiled; null: the argument is none.
  const re2::RE2* regex = nullptr;
  const absl::TimeZone* zone = nullptr;

  const Value& operator[](size_t index) const { return values[index]; }
};

struct Function {
  enum class Literal : uint8_t { kNone, kRegex, kZone };  // what the last argument becomes, if it is a literal

  std::string_view name;
  bool has_target;
  uint8_t arguments;  // the target included
  Value (*call)(const Arguments& arguments);
  Literal literal = Literal::kNone;
};
constexpr size_t kMaxArguments = 4;

// Null: there is none of that name that takes these arguments.
const Function* findFunction(std::string_view name, bool has_target, size_t arguments);
bool isFunctionName(std::string_view name);

// What functions answer where they are not made for a value.
inline Value noOverload() {
  return Value::error(why::kNoOverload);
}
inline Value outOfRange() {
  return Value::error(why::kRange);
}

// For text of the language: code points, where bytes that are no UTF-8 count one each.
size_t codePoints(std::string_view text);

// As re2::RE2 of the language: UTF-8, and silent. The pattern may be wrong: look at ok().
re2::RE2::Options regexOptions();

}  // namespace sluice::match::cel
