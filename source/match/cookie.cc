#include "source/match/cookie.h"

#include <optional>
#include <string_view>

#include "source/http/cookie.h"

namespace sluice::match {

bool CookieMatcher::matches(const http::HeaderList& headers) const {
  const std::optional<std::string_view> value = http::cookieValue(headers, name);
  return (value && string.matches(*value)) != invert;
}

}  // namespace sluice::match
