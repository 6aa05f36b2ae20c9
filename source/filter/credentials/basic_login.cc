#include "source/filter/credentials/basic_login.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::filter {

std::optional<std::string_view> credentialsOf(std::string_view value, std::string_view scheme) {
  if (value.size() <= scheme.size() || value[scheme.size()] != ' ') return std::nullopt;
  if (!base::equalsIgnoringCase(value.substr(0, scheme.size()), scheme)) return std::nullopt;
  return value.substr(scheme.size() + 1);
}

std::optional<Login> decodeLogin(std::string_view credentials) {
  std::string text;
  if (!absl::Base64Unescape(base::toAbsl(credentials), &text)) return std::nullopt;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Login{std::move(text), colon};
}

bool isUserName(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::none_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(static_cast<uint8_t>(c)); });
}

}  // namespace sluice::filter
