// Letters without regard to case, as protocols compare them: A to Z only, whatever the locale and the encoding.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sluice::base {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

inline void lowerInPlace(std::string& text) {
  for (char& c : text) c = lower(c);
}

inline std::string lowered(std::string_view text) {
  std::string out(text);
  lowerInPlace(out);
  return out;
}

constexpr bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

// `lower_b` is in lower case already.
constexpr bool equalsLowered(std::string_view a, std::string_view lower_b) {
  return a.size() == lower_b.size() &&
         std::equal(a.begin(), a.end(), lower_b.begin(), [](char x, char y) { return lower(x) == y; });
}

constexpr bool containsIgnoringCase(std::string_view text, std::string_view part) {
  const auto same = [](char x, char y) { return lower(x) == lower(y); };
  return part.empty() || std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace sluice::base
