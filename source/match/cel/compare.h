// Equality and order of values. (langdef: Equality, Ordering)
#pragma once

#include <compare>
#include <optional>

#include "source/match/cel/value.h"

namespace sluice::match::cel {

// A bool, or an error where a value is nested too deep or memory is used up. Values of different types are not equal,
// but numbers are compared by what they are worth: 1 == 1u == 1.0. NaN equals nothing.
Value equals(const Value& a, const Value& b, Memory& memory);

// Of numbers, strings, bytes, bools, timestamps and durations; nothing for others. Unordered where a NaN is in it.
std::optional<std::partial_ordering> compare(const Value& a, const Value& b);

}  // namespace sluice::match::cel
