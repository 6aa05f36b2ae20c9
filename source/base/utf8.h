// UTF-8 (RFC 3629), for what goes into protobuf's strings, which hold nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::base {

// The length of the character at the front of `text`, which is not empty; 0 if there is no valid one.
constexpr size_t utf8Length(std::string_view text) {
  const auto byte = [text](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f;
  const bool too_large = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_large ? 0 : size;
}

constexpr bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = utf8Length(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// The text, with '!' for each byte that is of no valid character.
inline std::string asUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t size = utf8Length(text);
    size == 0 ? out.append(1, '!') : out.append(text.substr(0, size));
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return out;
}

}  // namespace sluice::base
