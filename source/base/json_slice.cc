#include "source/base/json_slice.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "source/base/text.h"

namespace sluice::base {
namespace {

using Json = nlohmann::json;

// Walks over text that is known to be JSON.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  // The value that stands here; moves behind it.
  std::string_view value() {
    if (atEnd()) return {};
    const size_t begin = at_;
    if (text_[at_] == '"') {
      skipString();
    } else if (opens(text_[at_])) {
      skipNested();
    } else {
      while (at_ < text_.size() && !endsScalar(text_[at_])) ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }
  bool atEnd() {
    skipSpace();
    return at_ == text_.size();
  }
  // A scalar, or one of the characters around and between values; moves behind it.
  std::string_view token() {
    const char c = text_[at_];
    const bool alone = opens(c) || closes(c) || c == ',' || c == ':';
    return alone ? text_.substr(at_++, 1) : value();
  }
  // Moves behind `c` if it stands here.
  bool take(char c) {
    skipSpace();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

 private:
  static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool opens(char c) { return c == '{' || c == '['; }
  static bool closes(char c) { return c == '}' || c == ']'; }
  static bool endsScalar(char c) { return c == ',' || closes(c) || isSpace(c); }

  void skipSpace() {
    while (at_ < text_.size() && isSpace(text_[at_])) ++at_;
  }
  void skipString() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }
  void skipNested() {
    size_t depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        skipString();
        continue;
      }
      if (opens(c)) ++depth;
      if (closes(c)) --depth;
      ++at_;
    } while (depth > 0);
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// Whether a string with its quotes is that text.
bool isKey(std::string_view string, const std::string& key) {
  if (string.find('\\') == std::string_view::npos) return string.substr(1, string.size() - 2) == key;
  return unquoted(string) == key;
}

// `object` stands behind its brace.
template <typename OnEach>
void eachMember(Walker object, const OnEach& on_each) {
  if (object.take('}')) return;
  do {
    const std::string_view name = object.value();
    object.take(':');
    on_each(name, object.value());
  } while (object.take(','));
}

std::optional<std::string_view> memberOf(const Walker& object, const std::string& key) {
  std::optional<std::string_view> found;
  eachMember(object, [&](std::string_view name, std::string_view value) {
    if (isKey(name, key)) found = value;
  });
  return found;
}

std::optional<std::string_view> itemOf(Walker list, const std::string& place) {
  uint32_t wanted = 0;
  if (!absl::SimpleAtoi(place, &wanted) || list.take(']')) return std::nullopt;
  for (uint32_t at = 0;; ++at) {
    const std::string_view value = list.value();
    if (at == wanted) return value;
    if (!list.take(',')) return std::nullopt;
  }
}

}  // namespace

// NUL stands nowhere in JSON, and the parser would take the first one for the end of the text.
bool isJson(std::string_view text) {
  return text.find('\0') == std::string_view::npos && Json::accept(text.begin(), text.end());
}

std::optional<std::string_view> sliceOf(std::string_view text, const std::vector<std::string>& path) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::optional<std::string_view> found = Walker(text).value();
  for (const std::string& step : path) {
    Walker inside(*found);
    if (inside.take('{')) {
      found = memberOf(inside, step);
    } else if (inside.take('[')) {
      found = itemOf(inside, step);
    } else {
      found.reset();
    }
    if (!found) break;
  }
  return found;
}

void forEachMember(std::string_view text, const OnMember& on_member) {
  Walker walker(text);
  if (walker.take('{')) eachMember(walker, on_member);
}

std::string unquoted(std::string_view string) {
  if (!string.starts_with('"')) return {};
  if (string.find('\\') == std::string_view::npos) return std::string(string.substr(1, string.size() - 2));
  const Json plain = Json::parse(string.begin(), string.end(), nullptr, false);
  return plain.is_string() ? plain.get<std::string>() : std::string();
}

std::string compacted(std::string_view text) {
  std::string out;
  Walker walker(text);
  while (!walker.atEnd()) out += walker.token();
  return out;
}

}  // namespace sluice::base
