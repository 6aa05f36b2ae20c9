#include "source/route/matchers.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sluice::route {
namespace {

absl::string_view absl_view(std::string_view text) {
  return {text.data(), text.size()};
}

bool equalIgnoringCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl_view(a), absl_view(b));
}

bool containsIgnoringCase(std::string_view text, std::string_view part) {
  const auto found = std::search(text.begin(), text.end(), part.begin(), part.end(), [](char a, char b) {
    return absl::ascii_tolower(static_cast<unsigned char>(a)) == absl::ascii_tolower(static_cast<unsigned char>(b));
  });
  return found != text.end() || part.empty();
}

bool inRange(std::string_view value, int64_t start, int64_t end) {
  int64_t number = 0;
  return absl::SimpleAtoi(absl_view(value), &number) && number >= start && number < end;
}

}  // namespace

absl::StatusOr<Regex> compileRegex(std::string_view pattern) {
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_log_errors(false);
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!regex->ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", absl_view(pattern), "\" is no regular expression that RE2 takes: ", regex->error()));
  }
  return regex;
}

RequestView RequestView::of(const http::RequestHeaders& headers) {
  const size_t mark = headers.path.find('?');
  if (mark == std::string_view::npos) return {headers, headers.path, {}};
  return {headers, headers.path.substr(0, mark), headers.path.substr(mark + 1)};
}

bool StringMatcher::matches(std::string_view value) const {
  switch (kind) {
    case Kind::kExact:
      return ignore_case ? equalIgnoringCase(value, text) : value == text;
    case Kind::kPrefix: {
      if (value.size() < text.size()) return false;
      const std::string_view head = value.substr(0, text.size());
      return ignore_case ? equalIgnoringCase(head, text) : head == text;
    }
    case Kind::kSuffix: {
      if (value.size() < text.size()) return false;
      const std::string_view tail = value.substr(value.size() - text.size());
      return ignore_case ? equalIgnoringCase(tail, text) : tail == text;
    }
    case Kind::kContains:
      return ignore_case ? containsIgnoringCase(value, text) : value.find(text) != std::string_view::npos;
    case Kind::kRegex:
      return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex);
  }
  return false;
}

void HeaderMatcher::setName(std::string lower) {
  name = storedName(lower);
  id = http::nameOf(name);
}

bool HeaderMatcher::matchesValue(std::string_view value) const {
  return kind == Kind::kRange ? inRange(value, range_start, range_end) : string.matches(value);
}

bool HeaderMatcher::matches(const http::RequestHeaders& headers) const {
  bool found = false;
  const bool matched = anyHeaderValue(headers, name, id, [&](std::string_view value) {
    found = true;
    return kind == Kind::kPresent || matchesValue(value);
  });
  if (matched) return kind == Kind::kPresent ? present != invert : !invert;
  if (!found && treat_missing_header_as_empty)
    return kind == Kind::kPresent ? present != invert : matchesValue({}) != invert;
  return kind == Kind::kPresent ? present == invert : found && invert;
}

bool QueryMatcher::matches(std::string_view query) const {
  const std::optional<std::string_view> value = queryParameter(query, name);
  if (kind == Kind::kPresent) return value.has_value() == present;
  return value && string.matches(*value);
}

bool Conditions::hold(const RequestView& request) const {
  return std::all_of(headers.begin(), headers.end(), [&](const auto& m) { return m.matches(request.headers); }) &&
         std::all_of(query.begin(), query.end(), [&](const auto& m) { return m.matches(request.query); });
}

std::string_view storedName(std::string_view lower) {
  return lower == "host" ? ":authority" : lower;
}

std::optional<std::string_view> queryParameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == name && !pair.empty()) {
      return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

}  // namespace sluice::route
