#include "source/route/regex_literal.h"

namespace sluice::route {
namespace {

bool isAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

// The position after the class that begins at `at` ("[" stands there).
size_t afterClass(std::string_view pattern, size_t at) {
  ++at;
  if (at < pattern.size() && pattern[at] == '^') ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;  // a first "]" is a member
  while (at < pattern.size() && pattern[at] != ']') {
    if (pattern[at] == '\\') {
      at += 2;
    } else if (pattern.substr(at, 2) == "[:") {
      const size_t end = pattern.find(":]", at + 2);
      at = end == std::string_view::npos ? at + 1 : end + 2;
    } else {
      ++at;
    }
  }
  return at + 1;
}

// True unless it is certain that the expression is no alternative ("a|b") as a whole.
bool mayAlternate(std::string_view pattern) {
  if (pattern.find('|') == std::string_view::npos) return false;
  if (pattern.find("\\Q") != std::string_view::npos) return true;
  int depth = 0;
  for (size_t at = 0; at < pattern.size();) {
    switch (pattern[at]) {
      case '\\':
        at += 2;
        continue;
      case '[':
        at = afterClass(pattern, at);
        continue;
      case '(':
        ++depth;
        break;
      case ')':
        --depth;
        break;
      case '|':
        if (depth <= 0) return true;
        break;
      default:
        break;
    }
    ++at;
  }
  return false;
}

}  // namespace

std::string literalBeginning(std::string_view pattern) {
  std::string out;
  if (mayAlternate(pattern)) return out;
  size_t at = pattern.starts_with('^') ? 1 : 0;
  while (at < pattern.size()) {
    const char c = pattern[at];
    if (c == '\\') {
      // An escaped sign stands for itself; an escaped letter or digit has a meaning.
      if (at + 1 >= pattern.size() || isAlphanumeric(pattern[at + 1])) return out;
      out += pattern[at + 1];
      at += 2;
      continue;
    }
    if (c == '*' || c == '?' || c == '{') {
      // The byte before it may be absent. (A brace that counts nothing is a literal: ending there is only shorter.)
      if (!out.empty()) out.pop_back();
      return out;
    }
    if (std::string_view("+.[]()^$|").find(c) != std::string_view::npos) return out;
    out += c;
    ++at;
  }
  return out;
}

}  // namespace sluice::route
