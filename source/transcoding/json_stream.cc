#include "source/transcoding/json_stream.h"

#include <utility>

namespace sluice::transcoding {
namespace {

bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && isSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && isSpace(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool JsonScanner::feed(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return true;
  }
  switch (c) {
    case '"':
      in_string_ = true;
      return true;
    case '{':
    case '[':
      open_ += c;
      return depth() <= kDeepest;
    case '}':
    case ']':
      if (open_.empty() || (open_.back() == '{') != (c == '}')) return false;
      open_.pop_back();
      return true;
    default:
      return true;
  }
}

bool JsonArray::finish(std::vector<std::string>& elements) {
  if (trimmed(element_).empty()) return false;
  elements.push_back(std::exchange(element_, {}));
  first_ = false;
  return true;
}

JsonArray::Result JsonArray::feed(std::string_view bytes, std::vector<std::string>& elements) {
  for (const char c : bytes) {
    if (state_ == State::kBehind || state_ == State::kBefore) {
      if (isSpace(c)) continue;
      if (state_ == State::kBehind || c != '[') return Result::kInvalid;
      state_ = State::kElement;
      continue;
    }
    if (scanner_.depth() == 0 && !scanner_.inString()) {
      if (c == ']') {
        const bool empty = first_ && trimmed(element_).empty();
        if (!empty && !finish(elements)) return Result::kInvalid;
        state_ = State::kBehind;
        continue;
      }
      if (c == ',') {
        if (!finish(elements)) return Result::kInvalid;
        continue;
      }
      if (isSpace(c) && element_.empty()) continue;
    }
    if (!scanner_.feed(c)) return Result::kInvalid;
    if (element_.size() == limit_) return Result::kTooLarge;
    element_ += c;
  }
  return Result::kOk;
}

void appendJsonString(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace sluice::transcoding
