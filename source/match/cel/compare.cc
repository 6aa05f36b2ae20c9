#include "source/match/cel/compare.h"

#include <cmath>

namespace sluice::match::cel {
namespace {

using Kind = Value::Kind;
using Order = std::partial_ordering;

// Values made by loops may be nested deeper than any expression.
constexpr int kMaxDepth = 128;

bool isNumber(const Value& value) {
  return value.is(Kind::kInt) || value.is(Kind::kUint) || value.is(Kind::kDouble);
}

// Exact, also where the integer has no double of its own.
template <typename Integer>
Order compareReal(Integer a, double b, double limit) {
  if (std::isnan(b)) return Order::unordered;
  if (b >= limit) return Order::less;
  if (std::is_signed_v<Integer> ? b < -limit : b < 0) return Order::greater;
  const double whole = std::trunc(b);
  const auto truncated = static_cast<Integer>(whole);
  if (a != truncated) return a <=> truncated;
  return whole == b ? Order::equivalent : b > whole ? Order::less : Order::greater;
}

Order compareReal(const Value& integer, double real) {
  constexpr double k2To63 = 9223372036854775808.0, k2To64 = 18446744073709551616.0;
  return integer.is(Kind::kInt) ? compareReal(integer.asInt(), real, k2To63)
                                : compareReal(integer.asUint(), real, k2To64);
}

Order reversed(Order order) {
  return order == Order::less ? Order::greater : order == Order::greater ? Order::less : order;
}

Order compareNumbers(const Value& a, const Value& b) {
  const bool a_real = a.is(Kind::kDouble), b_real = b.is(Kind::kDouble);
  if (a_real && b_real) return a.asReal() <=> b.asReal();
  if (b_real) return compareReal(a, b.asReal());
  if (a_real) return reversed(compareReal(b, a.asReal()));
  if (a.is(b.kind())) return a.is(Kind::kInt) ? Order(a.asInt() <=> b.asInt()) : Order(a.asUint() <=> b.asUint());
  if (a.is(Kind::kInt)) return a.asInt() < 0 ? Order::less : Order(a.asUint() <=> b.asUint());
  return b.asInt() < 0 ? Order::greater : Order(a.asUint() <=> b.asUint());
}

Value equalsAt(const Value& a, const Value& b, Memory& memory, int depth);

// Of strings and bytes.
Value textsEqual(std::string_view a, std::string_view b, Memory& memory) {
  if (a.size() != b.size()) return Value::boolean(false);
  return memory.spend(a.size() / Memory::kStepBytes) ? Value::boolean(a == b) : Value::error(why::kSteps);
}

Value listsEqual(const List& a, const List& b, Memory& memory, int depth) {
  if (a.size() != b.size()) return Value::boolean(false);
  for (size_t i = 0; i < a.size(); ++i) {
    const Value same = equalsAt(a.at(i, memory), b.at(i, memory), memory, depth + 1);
    if (!same.isTrue()) return same;
  }
  return Value::boolean(true);
}

Value mapsEqual(const Map& a, const Map& b, Memory& memory, int depth) {
  const size_t size = a.size();
  if (!memory.spend(size)) return Value::error(why::kSteps);
  if (size != b.size()) return Value::boolean(false);
  const Value keys = a.keys(memory);
  if (keys.isError()) return keys;
  for (size_t i = 0; i < keys.asList().size(); ++i) {
    const Value key = keys.asList().at(i, memory);
    const std::optional<Value> left = a.find(key, memory), right = b.find(key, memory);
    if (!left || !right) return Value::boolean(false);
    const Value same = equalsAt(*left, *right, memory, depth + 1);
    if (!same.isTrue()) return same;
  }
  return Value::boolean(true);
}

Value equalsAt(const Value& a, const Value& b, Memory& memory, int depth) {
  if (a.isError()) return a;
  if (b.isError()) return b;
  if (depth > kMaxDepth) return Value::error(why::kDeep);
  if (!memory.spend(1)) return Value::error(why::kSteps);
  if (isNumber(a) && isNumber(b)) return Value::boolean(compareNumbers(a, b) == 0);
  if (!a.is(b.kind())) return Value::boolean(false);
  switch (a.kind()) {
    case Kind::kNull:
      return Value::boolean(true);
    case Kind::kBool:
    case Kind::kType:
      return Value::boolean(a.asInt() == b.asInt());
    case Kind::kString:
    case Kind::kBytes:
      return textsEqual(a.text(), b.text(), memory);
    case Kind::kTimestamp:
    case Kind::kDuration:
      return Value::boolean(a.asTime() == b.asTime());
    case Kind::kList:
      return listsEqual(a.asList(), b.asList(), memory, depth);
    case Kind::kMap:
      return mapsEqual(a.asMap(), b.asMap(), memory, depth);
    default:
      return Value::boolean(false);
  }
}

}  // namespace

Value equals(const Value& a, const Value& b, Memory& memory) {
  return equalsAt(a, b, memory, 0);
}

std::optional<Order> compare(const Value& a, const Value& b) {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (!a.is(b.kind())) return std::nullopt;
  switch (a.kind()) {
    case Kind::kBool:
      return a.asBool() <=> b.asBool();
    case Kind::kString:
    case Kind::kBytes:
      return a.text() <=> b.text();
    case Kind::kTimestamp:
    case Kind::kDuration:
      return a.asTime() <=> b.asTime();
    default:
      return std::nullopt;
  }
}

}  // namespace sluice::match::cel
