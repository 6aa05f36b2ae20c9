// Dates of HTTP (RFC 9110 section 5.6.7), as seconds since 1970. Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::file_server {

// "Sun, 06 Nov 1994 08:49:37 GMT". Of years 0 to 9999.
std::string formatHttpDate(int64_t seconds);
// That form, and the two that are obsolete: "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". The name of
// the day is not looked at. A year of two digits is the one that is at most 50 years after that of `now`.
std::optional<int64_t> parseHttpDate(std::string_view text, int64_t now);

}  // namespace sluice::extensions::http_filters::file_server
