#include "source/http/conditions.h"

#include <algorithm>
#include <cstdint>

#include "source/base/ascii.h"
#include "source/http/rules.h"

namespace sluice::http {
namespace {

bool isWeak(std::string_view tag) {
  return tag.starts_with("W/");
}

std::string_view opaque(std::string_view tag) {
  return tag.substr(isWeak(tag) ? 2 : 0);
}

bool sameStrongTag(std::string_view a, std::string_view b) {
  return a == b && !isWeak(a);
}

void skipSeparators(std::string_view& list) {
  while (!list.empty() && (list[0] == ' ' || list[0] == '\t' || list[0] == ',')) list.remove_prefix(1);
}

// The entity tag at the front of a list, which is taken off. A comma may stand within its quotes; some servers make
// tags without any.
std::string_view takeTag(std::string_view& list) {
  const size_t open = isWeak(list) ? 2 : 0;
  size_t end = std::string_view::npos;
  if (open < list.size() && list[open] == '"') end = list.find('"', open + 1);
  end = end == std::string_view::npos ? std::min(list.find(','), list.size()) : end + 1;
  const std::string_view tag = withoutSpaces(list.substr(0, end));
  list.remove_prefix(end);
  return tag;
}

// A list of entity tags, or "*", which is any.
template <typename Same>
bool listHas(std::string_view list, std::string_view etag, Same same) {
  skipSeparators(list);
  if (list == "*") return true;
  if (etag.empty()) return false;
  while (!list.empty()) {
    if (same(takeTag(list), etag)) return true;
    skipSeparators(list);
  }
  return false;
}

std::optional<Date> dateOf(const std::optional<std::string_view>& text, Date now) {
  return text ? parseDate(*text, now) : std::nullopt;
}

// An entity tag or a date. (RFC 9110 section 13.1.5)
bool ifRangeHolds(std::string_view value, const Representation& whole, Date now) {
  if (value.find('"') != std::string_view::npos) return sameStrongTag(value, whole.etag);
  const auto date = parseDate(value, now);
  return whole.modified_is_strong && date && date == whole.modified;
}

// The last position, or how many bytes at the end: beyond any of them all is meant.
bool parseBound(std::string_view text, uint64_t& out) {
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  if (!parseLength(text, out)) out = INT64_MAX;
  return true;
}

}  // namespace

bool sameTag(std::string_view a, std::string_view b) {
  return opaque(a) == opaque(b);
}

Conditions Conditions::of(const RequestHeaders& request) {
  Conditions out{.match = request.getAll("if-match"),
                 .unmodified_since = request.get("if-unmodified-since"),
                 .none_match = request.getAll("if-none-match"),
                 .modified_since = request.get("if-modified-since")};
  if (!request.isHead()) {
    out.range = request.getAll("range");
    out.if_range = request.getAll("if-range");
  }
  return out;
}

Verdict evaluate(const Conditions& conditions, const Representation& whole, Date now) {
  if (conditions.match) {
    if (!listHas(*conditions.match, whole.etag, sameStrongTag)) return Verdict::kFailed;
  } else if (const auto since = dateOf(conditions.unmodified_since, now)) {
    if (whole.modified && *whole.modified > *since) return Verdict::kFailed;
  }
  if (conditions.none_match) {
    return listHas(*conditions.none_match, whole.etag, sameTag) ? Verdict::kNotModified : Verdict::kSend;
  }
  const auto since = dateOf(conditions.modified_since, now);
  return since && whole.modified && *whole.modified <= *since ? Verdict::kNotModified : Verdict::kSend;
}

Range rangeOf(const Conditions& conditions, const Representation& whole, Date now) {
  constexpr std::string_view kUnit = "bytes=";
  const std::string_view field = conditions.range.value_or("");
  if (!base::equalsLowered(field.substr(0, kUnit.size()), kUnit)) return {};
  if (conditions.if_range && !ifRangeHolds(*conditions.if_range, whole, now)) return {};
  const std::string_view spec = field.substr(kUnit.size());
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view first = spec.substr(0, dash), last = spec.substr(dash + 1);
  uint64_t begin = 0, through = 0;
  if (first.empty()) {
    uint64_t suffix = 0;
    if (!parseBound(last, suffix)) return {};
    if (suffix == 0) return {Range::Kind::kUnsatisfiable};
    if (whole.size == 0) return {};  // no range can say this
    return {Range::Kind::kPart, whole.size - std::min(suffix, whole.size), whole.size};
  }
  if (!parseLength(first, begin)) return {};
  if (!last.empty() && (!parseBound(last, through) || through < begin)) return {};
  if (begin >= whole.size) return {Range::Kind::kUnsatisfiable};
  const uint64_t end = last.empty() ? whole.size : std::min(through + 1, whole.size);
  return {Range::Kind::kPart, begin, end};
}

}  // namespace sluice::http
