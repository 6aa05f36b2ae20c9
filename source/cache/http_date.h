// Dates in HTTP. (RFC 9110 section 5.6.7)
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sluice::cache {

using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

// Any of the three forms; a year of two digits is at most 50 years after `now`.
std::optional<WallTime> parseHttpDate(std::string_view text, WallTime now);

}  // namespace sluice::cache
