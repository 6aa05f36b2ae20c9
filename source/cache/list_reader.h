// The members of a field's value that is a list: "a, b=1, c="x, y"". (RFC 9110 section 5.6.1)
#pragma once

#include <optional>
#include <string_view>

#include "source/http/rules.h"

namespace sluice::cache {

class ListReader {
 public:
  explicit ListReader(std::string_view value) : rest_(value) {}

  // The next member that is not empty, without white space around it; nullopt at the end, or where a quoted string has
  // none.
  std::optional<std::string_view> next() {
    while (!rest_.empty()) {
      const size_t end = memberEnd();
      if (broken_) return std::nullopt;
      const std::string_view member = http::withoutSpaces(rest_.substr(0, end));
      rest_.remove_prefix(end < rest_.size() ? end + 1 : rest_.size());
      if (!member.empty()) return member;
    }
    return std::nullopt;
  }
  bool broken() const { return broken_; }

 private:
  size_t memberEnd() {
    bool quoted = false;
    size_t at = 0;
    for (; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (quoted && c == '\\') {
        ++at;
      } else if (c == '"') {
        quoted = !quoted;
      } else if (c == ',' && !quoted) {
        return at;
      }
    }
    if (quoted) {
      broken_ = true;
      rest_ = {};
    }
    return rest_.size();
  }

  std::string_view rest_;
  bool broken_ = false;
};

}  // namespace sluice::cache
