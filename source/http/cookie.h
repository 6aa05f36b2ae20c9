// Values of the cookie header (RFC 6265 section 5.4).
#pragma once

#include <optional>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::http {

// The value of the first cookie of that name, without quotes around it; nullopt if there is none. Not decoded.
inline std::optional<std::string_view> cookieIn(std::string_view list, std::string_view name) {
  while (true) {
    const size_t end = list.find(';');
    std::string_view pair = list.substr(0, end);
    while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) pair.remove_prefix(1);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      std::string_view value = pair.substr(equals + 1);
      while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
      const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
      return quoted ? value.substr(1, value.size() - 2) : value;
    }
    if (end == std::string_view::npos) return std::nullopt;
    list.remove_prefix(end + 1);
  }
}

inline std::optional<std::string_view> cookieOf(const HeaderList& headers, std::string_view name) {
  if (!headers.has(Name::kCookie)) return std::nullopt;
  for (const Field& field : headers) {
    if (field.id != Name::kCookie) continue;
    if (const auto value = cookieIn(field.value, name)) return value;
  }
  return std::nullopt;
}

}  // namespace sluice::http
