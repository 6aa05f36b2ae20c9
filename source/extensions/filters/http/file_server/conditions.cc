#include "source/extensions/filters/http/file_server/conditions.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "source/base/ascii.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::file_server {
namespace {

bool isWeak(std::string_view tag) {
  return tag.substr(0, 2) == "W/";
}

std::string_view opaque(std::string_view tag) {
  return isWeak(tag) ? tag.substr(2) : tag;
}

bool sameTag(std::string_view a, std::string_view b, bool strongly) {
  return opaque(a) == opaque(b) && !(strongly && (isWeak(a) || isWeak(b)));
}

void skipSeparators(std::string_view& list) {
  while (!list.empty() && (list[0] == ' ' || list[0] == '\t' || list[0] == ',')) list.remove_prefix(1);
}

// The entity tag at the front of a list, which is taken off; empty if there is none.
std::string_view takeTag(std::string_view& list) {
  const size_t open = isWeak(list) ? 2 : 0;
  if (open >= list.size() || list[open] != '"') return {};
  const size_t close = list.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const std::string_view tag = list.substr(0, close + 1);
  list.remove_prefix(tag.size());
  return tag;
}

// A list of entity tags, or "*", which is any. Behind what is no tag nothing is read.
bool listHas(std::string_view list, std::string_view etag, bool strongly) {
  skipSeparators(list);
  if (list == "*") return true;
  while (!list.empty()) {
    const std::string_view tag = takeTag(list);
    if (tag.empty()) return false;
    if (sameTag(tag, etag, strongly)) return true;
    skipSeparators(list);
  }
  return false;
}

std::optional<http::Date> dateIn(const http::RequestHeaders& request, std::string_view name, http::Date now) {
  const auto value = request.get(name);
  return value ? http::parseDate(*value, now) : std::nullopt;
}

// An entity tag or a date. (RFC 9110 section 13.1.5)
bool ifRangeHolds(std::string_view value, const Representation& file, http::Date now) {
  if (value.find('"') != std::string_view::npos) return sameTag(value, file.etag, true);
  return !isWeak(file.etag) && http::parseDate(value, now) == file.modified;
}

}  // namespace

Condition evaluateConditions(const http::RequestHeaders& request, const Representation& file, http::Date now) {
  if (const auto match = request.getAll("if-match")) {
    if (!listHas(*match, file.etag, true)) return Condition::kFailed;
  } else if (const auto since = dateIn(request, "if-unmodified-since", now)) {
    if (file.modified > *since) return Condition::kFailed;
  }
  if (const auto none = request.getAll("if-none-match")) {
    return listHas(*none, file.etag, false) ? Condition::kNotModified : Condition::kNone;
  }
  const auto since = dateIn(request, "if-modified-since", now);
  return since && file.modified <= *since ? Condition::kNotModified : Condition::kNone;
}

Range rangeOf(const http::RequestHeaders& request, const Representation& file, http::Date now) {
  constexpr std::string_view kUnit = "bytes=";
  const auto field = request.getAll("range");
  if (!field || !base::equalsLowered(field->substr(0, kUnit.size()), kUnit)) return {};
  if (const auto condition = request.get("if-range"); condition && !ifRangeHolds(*condition, file, now)) return {};
  const std::string_view spec = field->substr(kUnit.size());
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first = spec.substr(0, dash), last = spec.substr(dash + 1);
  uint64_t begin = 0, through = 0;
  if (first.empty()) {
    uint64_t suffix = 0;
    if (!http::parseLength(last, suffix)) return {};
    if (suffix == 0) return {Range::Kind::kUnsatisfiable};
    if (file.size == 0) return {};  // no range can say this
    return {Range::Kind::kPart, file.size - std::min(suffix, file.size), file.size};
  }
  if (!http::parseLength(first, begin)) return {};
  if (!last.empty() && (!http::parseLength(last, through) || through < begin)) return {};
  if (begin >= file.size) return {Range::Kind::kUnsatisfiable};
  const uint64_t end = last.empty() ? file.size : std::min(through + 1, file.size);
  return {Range::Kind::kPart, begin, end};
}

}  // namespace sluice::extensions::http_filters::file_server
