#include "source/match/header.h"

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/http/query.h"

namespace sluice::match {
namespace {

bool inRange(std::string_view value, int64_t start, int64_t end) {
  int64_t number = 0;
  return absl::SimpleAtoi(base::toAbsl(value), &number) && number >= start && number < end;
}

}  // namespace

void HeaderMatcher::setName(std::string lower) {
  name = storedName(lower);
  id = http::nameOf(name);
}

bool HeaderMatcher::matchesValue(std::string_view value) const {
  return kind == Kind::kRange ? inRange(value, range_start, range_end) : string.matches(value);
}

bool HeaderMatcher::matches(const http::RequestHeaders& headers) const {
  return matchesIn(headers);
}

bool HeaderMatcher::matches(const http::ResponseHeaders& headers) const {
  return matchesIn(headers);
}

template <typename Headers>
bool HeaderMatcher::matchesIn(const Headers& headers) const {
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

std::string_view storedName(std::string_view lower) {
  return lower == "host" ? ":authority" : lower;
}

std::optional<std::string_view> queryParameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const http::QueryParameter parameter = http::takeParameter(query);
    if (parameter.name == name && !parameter.text.empty()) return parameter.value;
  }
  return std::nullopt;
}

}  // namespace sluice::match
