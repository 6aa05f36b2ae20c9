// Values that are neither text nor a container, as text.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "source/match/cel/value.h"

namespace sluice::match::cel {

using ScalarText = std::array<char, 48>;

// "true", "-1", "0.5", "null", "2026-01-31T12:00:00Z", "1.5s", or a type's name; a view into `room` or static. Nothing
// for strings, bytes, lists, maps and errors.
std::optional<std::string_view> writeScalar(const Value& value, ScalarText& room);

}  // namespace sluice::match::cel
