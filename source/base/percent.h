// Percent-encoding (RFC 3986 section 2.1). What is no escape stands for itself; "+" is no space.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::base {

// -1: no hexadecimal digit.
constexpr int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that stands at `at`, which is moved behind it.
constexpr char percentDecodedAt(std::string_view text, size_t& at) {
  const char c = text[at++];
  if (c != '%' || at + 2 > text.size()) return c;
  const int high = hexValue(text[at]), low = hexValue(text[at + 1]);
  if (high < 0 || low < 0) return c;
  at += 2;
  return static_cast<char>(high << 4 | low);
}

inline std::string percentDecoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) out += percentDecodedAt(text, at);
  return out;
}

// percentDecoded(text) == plain
constexpr bool equalsPercentDecoded(std::string_view text, std::string_view plain) {
  size_t at = 0;
  for (const char c : plain) {
    if (at == text.size() || percentDecodedAt(text, at) != c) return false;
  }
  return at == text.size();
}

// Everything but letters, digits, -._~ and what is one of `kept` as %XX.
inline std::string percentEncoded(std::string_view text, std::string_view kept = {}) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || kept.find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

// As percentDecoded(), with '+' as a space, as HTML's forms write it.
inline std::string formDecoded(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percentDecoded(spaced);
}

}  // namespace sluice::base
