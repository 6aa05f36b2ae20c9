// Base64 for URLs (RFC 4648 section 5) in the one form that a text of bytes has.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "source/base/text.h"

namespace sluice::base {

inline std::string toBase64Url(std::string_view bytes) {
  return absl::WebSafeBase64Escape(toAbsl(bytes));
}

// nullopt: not what toBase64Url() makes. Padding, white space, other alphabets and bits left over are refused.
inline std::optional<std::string> fromBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(toAbsl(text), &bytes) || toBase64Url(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace sluice::base
