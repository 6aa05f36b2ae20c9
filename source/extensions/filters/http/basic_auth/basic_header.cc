#include "source/extensions/filters/http/basic_auth/basic_header.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::basic_auth {

std::optional<std::string_view> basicToken(std::string_view value) {
  constexpr std::string_view kScheme = "Basic ";
  if (!base::equalsIgnoringCase(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return value.substr(kScheme.size());
}

std::optional<Login> decodeLogin(std::string_view token) {
  std::string text;
  if (!absl::Base64Unescape(base::toAbsl(token), &text)) return std::nullopt;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Login{std::move(text), colon};
}

}  // namespace sluice::extensions::http_filters::basic_auth
