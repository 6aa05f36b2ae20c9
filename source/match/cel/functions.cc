#include "source/match/cel/functions.h"

#include <algorithm>
#include <cmath>

#include "source/base/utf8.h"
#include "source/match/cel/compare.h"
#include "source/match/cel/conversions.h"
#include "source/match/cel/text_functions.h"
#include "source/match/cel/time_functions.h"

namespace sluice::match::cel {
namespace {

using Kind = Value::Kind;
using Literal = Function::Literal;

Value ranged(Time value, Kind kind) {
  if (kind == Kind::kTimestamp) return isTimestamp(value) ? Value::timestamp(value) : outOfRange();
  return isDuration(value) ? Value::duration(value) : outOfRange();
}

// --- arithmetic ------------------------------------------------------------------------------------------------------

struct Add {
  template <typename T>
  static bool integers(T a, T b, T& out) {
    return !__builtin_add_overflow(a, b, &out);
  }
  static double reals(double a, double b) { return a + b; }
};
struct Subtract {
  template <typename T>
  static bool integers(T a, T b, T& out) {
    return !__builtin_sub_overflow(a, b, &out);
  }
  static double reals(double a, double b) { return a - b; }
};
struct Multiply {
  template <typename T>
  static bool integers(T a, T b, T& out) {
    return !__builtin_mul_overflow(a, b, &out);
  }
  static double reals(double a, double b) { return a * b; }
};

// Of two numbers of one type.
template <typename Operation>
Value arithmetic(const Value& a, const Value& b) {
  if (!a.is(b.kind())) return noOverload();
  int64_t signed_out = 0;
  uint64_t unsigned_out = 0;
  switch (a.kind()) {
    case Kind::kInt:
      return Operation::integers(a.asInt(), b.asInt(), signed_out) ? Value::integer(signed_out) : outOfRange();
    case Kind::kUint:
      return Operation::integers(a.asUint(), b.asUint(), unsigned_out) ? Value::unsignedInteger(unsigned_out)
                                                                       : outOfRange();
    case Kind::kDouble:
      return Value::real(Operation::reals(a.asReal(), b.asReal()));
    default:
      return noOverload();
  }
}

Value add(const Arguments& args) {
  const Value &a = args[0], &b = args[1];
  const bool a_span = a.is(Kind::kDuration), b_span = b.is(Kind::kDuration);
  if (a.is(Kind::kTimestamp) && b_span) return ranged(sum(a.asTime(), b.asTime()), Kind::kTimestamp);
  if (a_span && b.is(Kind::kTimestamp)) return ranged(sum(a.asTime(), b.asTime()), Kind::kTimestamp);
  if (!a.is(b.kind())) return noOverload();
  switch (a.kind()) {
    case Kind::kString:
    case Kind::kBytes:
      return joined(a, b, args.memory);
    case Kind::kList:
      if (!args.memory.spend(b.asList().size())) return Value::error(why::kSteps);
      return ArrayList::concat(a.asList(), b.asList(), args.memory);
    case Kind::kDuration:
      return ranged(sum(a.asTime(), b.asTime()), Kind::kDuration);
    default:
      return arithmetic<Add>(a, b);
  }
}

Value subtract(const Arguments& args) {
  const Value &a = args[0], &b = args[1];
  if (a.is(Kind::kTimestamp) && b.is(Kind::kTimestamp)) {
    return ranged(difference(a.asTime(), b.asTime()), Kind::kDuration);
  }
  if (b.is(Kind::kDuration) && (a.is(Kind::kTimestamp) || a.is(Kind::kDuration))) {
    return ranged(difference(a.asTime(), b.asTime()), a.kind());
  }
  return arithmetic<Subtract>(a, b);
}

Value multiply(const Arguments& args) {
  return arithmetic<Multiply>(args[0], args[1]);
}

// Division and its rest, of integers. The smallest int has no positive twin.
template <typename Signed, typename Unsigned>
Value divideIntegers(const Value& a, const Value& b, Signed of_ints, Unsigned of_uints) {
  if (!a.is(b.kind()) || !(a.is(Kind::kInt) || a.is(Kind::kUint))) return noOverload();
  if (b.asInt() == 0) return Value::error(why::kDivision);
  if (a.is(Kind::kUint)) return Value::unsignedInteger(of_uints(a.asUint(), b.asUint()));
  if (a.asInt() == INT64_MIN && b.asInt() == -1) return outOfRange();
  return Value::integer(of_ints(a.asInt(), b.asInt()));
}

Value divide(const Arguments& args) {
  const Value &a = args[0], &b = args[1];
  if (a.is(Kind::kDouble) && b.is(Kind::kDouble)) return Value::real(a.asReal() / b.asReal());
  const auto quotient = [](auto x, auto y) { return x / y; };
  return divideIntegers(a, b, quotient, quotient);
}

Value modulo(const Arguments& args) {
  const auto rest = [](auto x, auto y) { return x % y; };
  return divideIntegers(args[0], args[1], rest, rest);
}

Value negate(const Arguments& args) {
  if (args[0].is(Kind::kDouble)) return Value::real(-args[0].asReal());
  if (!args[0].is(Kind::kInt)) return noOverload();
  return args[0].asInt() == INT64_MIN ? outOfRange() : Value::integer(-args[0].asInt());
}

Value logicalNot(const Arguments& args) {
  return args[0].is(Kind::kBool) ? Value::boolean(!args[0].asBool()) : noOverload();
}

// --- relations -------------------------------------------------------------------------------------------------------

Value equal(const Arguments& args) {
  return equals(args[0], args[1], args.memory);
}

Value notEqual(const Arguments& args) {
  const Value same = equals(args[0], args[1], args.memory);
  return same.isError() ? same : Value::boolean(!same.asBool());
}

template <typename Test>
Value ordered(const Arguments& args, Test test) {
  const Value &a = args[0], &b = args[1];
  const bool texts = a.is(b.kind()) && (a.is(Kind::kString) || a.is(Kind::kBytes));
  if (texts && !args.memory.spend(std::min(a.text().size(), b.text().size()) / Memory::kStepBytes)) {
    return Value::error(why::kSteps);
  }
  const auto order = compare(a, b);
  return order ? Value::boolean(test(*order)) : noOverload();
}
Value less(const Arguments& args) {
  return ordered(args, [](auto order) { return order < 0; });
}
Value lessOrEqual(const Arguments& args) {
  return ordered(args, [](auto order) { return order <= 0; });
}
Value greater(const Arguments& args) {
  return ordered(args, [](auto order) { return order > 0; });
}
Value greaterOrEqual(const Arguments& args) {
  return ordered(args, [](auto order) { return order >= 0; });
}

// --- containers ------------------------------------------------------------------------------------------------------

Value contained(const Arguments& args) {
  if (args[1].is(Kind::kMap)) return isThere(args[1].asMap().find(args[0], args.memory));
  if (!args[1].is(Kind::kList)) return noOverload();
  const List& list = args[1].asList();
  for (size_t i = 0; i < list.size(); ++i) {
    const Value same = equals(list.at(i, args.memory), args[0], args.memory);
    if (same.isError() || same.asBool()) return same;
  }
  return Value::boolean(false);
}

// A number that is a whole one names an element, whatever its type.
std::optional<size_t> indexOf(const Value& value) {
  if (value.is(Kind::kInt)) return value.asInt() < 0 ? SIZE_MAX : static_cast<size_t>(value.asInt());
  if (value.is(Kind::kUint)) return value.asUint();
  if (!value.is(Kind::kDouble) || std::trunc(value.asReal()) != value.asReal()) return std::nullopt;
  return value.asReal() < 0 || value.asReal() > 1e15 ? SIZE_MAX : static_cast<size_t>(value.asReal());
}

Value element(const Arguments& args) {
  if (args[0].is(Kind::kMap)) {
    const auto found = args[0].asMap().find(args[1], args.memory);
    return found ? *found : Value::error(why::kNoKey);
  }
  if (!args[0].is(Kind::kList)) return noOverload();
  const auto index = indexOf(args[1]);
  if (!index) return noOverload();
  const List& list = args[0].asList();
  return *index < list.size() ? list.at(*index, args.memory) : Value::error(why::kIndex);
}

Value size(const Arguments& args) {
  const Value& value = args[0];
  switch (value.kind()) {
    case Kind::kString:
      if (!args.memory.spend(value.text().size() / Memory::kStepBytes)) return Value::error(why::kSteps);
      return Value::integer(static_cast<int64_t>(codePoints(value.text())));
    case Kind::kBytes:
      return Value::integer(static_cast<int64_t>(value.text().size()));
    case Kind::kList:
      return Value::integer(static_cast<int64_t>(value.asList().size()));
    case Kind::kMap: {
      const size_t count = value.asMap().size();
      if (!args.memory.spend(count)) return Value::error(why::kSteps);  // some maps look for names that come twice
      return Value::integer(static_cast<int64_t>(count));
    }
    default:
      return noOverload();
  }
}

constexpr Function kFunctions[] = {
    {"_+_", false, 2, add},
    {"_-_", false, 2, subtract},
    {"_*_", false, 2, multiply},
    {"_/_", false, 2, divide},
    {"_%_", false, 2, modulo},
    {"-_", false, 1, negate},
    {"!_", false, 1, logicalNot},
    {"_==_", false, 2, equal},
    {"_!=_", false, 2, notEqual},
    {"_<_", false, 2, less},
    {"_<=_", false, 2, lessOrEqual},
    {"_>_", false, 2, greater},
    {"_>=_", false, 2, greaterOrEqual},
    {"@in", false, 2, contained},
    {"in", false, 2, contained},
    {"_in_", false, 2, contained},
    {"_[_]", false, 2, element},
    {"size", false, 1, size},
    {"size", true, 1, size},
    {"contains", true, 2, text::contains},
    {"contains", false, 2, text::contains},
    {"startsWith", true, 2, text::startsWith},
    {"startsWith", false, 2, text::startsWith},
    {"endsWith", true, 2, text::endsWith},
    {"endsWith", false, 2, text::endsWith},
    {"matches", true, 2, text::matches, Literal::kRegex},
    {"matches", false, 2, text::matches, Literal::kRegex},
    {"lowerAscii", true, 1, text::lowerAscii},
    {"upperAscii", true, 1, text::upperAscii},
    {"trim", true, 1, text::trim},
    {"replace", true, 3, text::replace},
    {"replace", true, 4, text::replace},
    {"split", true, 2, text::split},
    {"split", true, 3, text::split},
    {"join", true, 1, text::join},
    {"join", true, 2, text::join},
    {"int", false, 1, convert::toInt},
    {"uint", false, 1, convert::toUint},
    {"double", false, 1, convert::toDouble},
    {"string", false, 1, convert::toString},
    {"bytes", false, 1, convert::toBytes},
    {"bool", false, 1, convert::toBool},
    {"timestamp", false, 1, convert::toTimestamp},
    {"duration", false, 1, convert::toDuration},
    {"type", false, 1, convert::typeOfValue},
    {"dyn", false, 1, convert::same},
    {"getFullYear", true, 1, moment::fullYear},
    {"getFullYear", true, 2, moment::fullYear, Literal::kZone},
    {"getMonth", true, 1, moment::month},
    {"getMonth", true, 2, moment::month, Literal::kZone},
    {"getDate", true, 1, moment::date},
    {"getDate", true, 2, moment::date, Literal::kZone},
    {"getDayOfMonth", true, 1, moment::dayOfMonth},
    {"getDayOfMonth", true, 2, moment::dayOfMonth, Literal::kZone},
    {"getDayOfWeek", true, 1, moment::dayOfWeek},
    {"getDayOfWeek", true, 2, moment::dayOfWeek, Literal::kZone},
    {"getDayOfYear", true, 1, moment::dayOfYear},
    {"getDayOfYear", true, 2, moment::dayOfYear, Literal::kZone},
    {"getHours", true, 1, moment::hours},
    {"getHours", true, 2, moment::hours, Literal::kZone},
    {"getMinutes", true, 1, moment::minutes},
    {"getMinutes", true, 2, moment::minutes, Literal::kZone},
    {"getSeconds", true, 1, moment::seconds},
    {"getSeconds", true, 2, moment::seconds, Literal::kZone},
    {"getMilliseconds", true, 1, moment::milliseconds},
    {"getMilliseconds", true, 2, moment::milliseconds, Literal::kZone},
};

}  // namespace

const Function* findFunction(std::string_view name, bool has_target, size_t arguments) {
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](const Function& known) {
    return known.name == name && known.has_target == has_target && known.arguments == arguments;
  });
  return found == std::end(kFunctions) ? nullptr : found;
}

bool isFunctionName(std::string_view name) {
  return std::any_of(std::begin(kFunctions), std::end(kFunctions),
                     [name](const Function& known) { return known.name == name; });
}

size_t codePoints(std::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(std::max<size_t>(1, base::utf8Length(text)));
  return count;
}

re2::RE2::Options regexOptions() {
  re2::RE2::Options options(re2::RE2::DefaultOptions);
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  return options;
}

}  // namespace sluice::match::cel
