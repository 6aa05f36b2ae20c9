// Dates in HTTP. (RFC 9110 section 5.6.7)
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

using Date = std::chrono::sys_seconds;

// Any of the three forms; a year of two digits is at most 50 years after `now`.
std::optional<Date> parseDate(std::string_view text, Date now);
// "Sun, 06 Nov 1994 08:49:37 GMT". Of years 0 to 9999.
std::string formatDate(Date date);

}  // namespace sluice::http
