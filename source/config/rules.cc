#include "source/config/rules.h"

#include <algorithm>
#include <cmath>

#include <re2/re2.h>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"

namespace sluice::config {
namespace {

using google::protobuf::util::TimeUtil;

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

std::string quoted(std::string_view text) {
  constexpr size_t kLongest = 60;
  return absl::StrCat("\"", view(text.substr(0, kLongest)), text.size() > kLongest ? "...\"" : "\"");
}

// Continuation bytes do not count.
uint64_t codePoints(std::string_view text) {
  return static_cast<uint64_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

template <typename List>
bool contains(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

template <typename List>
std::string join(const List& list) {
  std::string text;
  for (const auto& item : list) absl::StrAppend(&text, text.empty() ? "" : ", ", "\"", item, "\"");
  return text;
}

bool isTokenCharacter(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_|~`").find(c) != std::string_view::npos;
}

bool isStrictHeaderName(std::string_view value) {
  if (!value.empty() && value[0] == ':') value.remove_prefix(1);
  return !value.empty() && std::all_of(value.begin(), value.end(), isTokenCharacter);
}

bool isStrictHeaderValue(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F; });
}

MaybeViolation checkHeaderText(std::string_view value, const ::validate::StringRules& rules) {
  const bool name = rules.well_known_regex() == ::validate::HTTP_HEADER_NAME;
  const std::string rule = absl::StrCat("string.well_known_regex: ", name ? "HTTP_HEADER_NAME" : "HTTP_HEADER_VALUE");
  if (value.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) {
    return Violation{absl::StrCat("must not hold NUL, CR or LF, which end a header"), rule};
  }
  if (!rules.strict()) return std::nullopt;
  if (name && !isStrictHeaderName(value)) {
    return Violation{absl::StrCat("must be a header name (letters, digits and !#$%&'*+-.^_|~`), is ", quoted(value)),
                     rule};
  }
  if (!name && !isStrictHeaderValue(value)) return Violation{"must be a header value without control characters", rule};
  return std::nullopt;
}

MaybeViolation checkStringLength(std::string_view value, const ::validate::StringRules& rules) {
  if (rules.has_min_len() && codePoints(value) < rules.min_len()) {
    if (value.empty())
      return Violation{"must not be empty; give it a value", absl::StrCat("string.min_len: ", rules.min_len())};
    return Violation{absl::StrCat("must have at least ", rules.min_len(), " characters, is ", quoted(value)),
                     absl::StrCat("string.min_len: ", rules.min_len())};
  }
  if (rules.has_max_len() && codePoints(value) > rules.max_len()) {
    return Violation{absl::StrCat("must have at most ", rules.max_len(), " characters, has ", codePoints(value)),
                     absl::StrCat("string.max_len: ", rules.max_len())};
  }
  if (rules.has_min_bytes() && value.size() < rules.min_bytes()) {
    return Violation{absl::StrCat("must have at least ", rules.min_bytes(), " bytes, has ", value.size()),
                     absl::StrCat("string.min_bytes: ", rules.min_bytes())};
  }
  if (rules.has_max_bytes() && value.size() > rules.max_bytes()) {
    return Violation{absl::StrCat("must have at most ", rules.max_bytes(), " bytes, has ", value.size()),
                     absl::StrCat("string.max_bytes: ", rules.max_bytes())};
  }
  return std::nullopt;
}

MaybeViolation checkStringContent(std::string_view value, const ::validate::StringRules& rules) {
  if (rules.has_const_() && value != rules.const_()) {
    return Violation{absl::StrCat("must be ", quoted(rules.const_()), ", is ", quoted(value)), "string.const"};
  }
  if (rules.has_prefix() && value.substr(0, rules.prefix().size()) != rules.prefix()) {
    return Violation{absl::StrCat("must begin with ", quoted(rules.prefix()), ", is ", quoted(value)), "string.prefix"};
  }
  const std::string& suffix = rules.suffix();
  if (value.size() < suffix.size() || value.substr(value.size() - suffix.size()) != suffix) {
    return Violation{absl::StrCat("must end with ", quoted(suffix), ", is ", quoted(value)), "string.suffix"};
  }
  if (value.find(rules.contains()) == std::string_view::npos) {
    return Violation{absl::StrCat("must contain ", quoted(rules.contains()), ", is ", quoted(value)),
                     "string.contains"};
  }
  if (rules.in_size() > 0 && !contains(rules.in(), value)) {
    return Violation{absl::StrCat("must be one of ", join(rules.in()), ", is ", quoted(value)), "string.in"};
  }
  if (contains(rules.not_in(), value)) {
    return Violation{absl::StrCat("must not be one of ", join(rules.not_in()), ", is ", quoted(value)),
                     "string.not_in"};
  }
  if (rules.has_pattern() && !RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), rules.pattern())) {
    return Violation{absl::StrCat("must match ", rules.pattern(), ", is ", quoted(value)), "string.pattern"};
  }
  return std::nullopt;
}

template <typename Value>
Violation bound(std::string_view kind, std::string_view rule, std::string_view words, const Value& limit,
                const Value& value) {
  return {absl::StrCat("must be ", view(words), " ", limit, ", is ", value),
          absl::StrCat(view(kind), ".", view(rule), ": ", limit)};
}

}  // namespace

MaybeViolation checkString(std::string_view value, const ::validate::StringRules& rules) {
  if (rules.ignore_empty() && value.empty()) return std::nullopt;
  if (MaybeViolation found = checkStringLength(value, rules)) return found;
  if (MaybeViolation found = checkStringContent(value, rules)) return found;
  const bool is_header_text = rules.has_well_known_regex() && rules.well_known_regex() != ::validate::UNKNOWN;
  return is_header_text ? checkHeaderText(value, rules) : std::nullopt;
}

MaybeViolation checkBytes(std::string_view value, const ::validate::BytesRules& rules) {
  if (rules.has_min_len() && value.size() < rules.min_len()) {
    return bound<uint64_t>("bytes", "min_len", "at least", rules.min_len(), value.size());
  }
  if (rules.has_max_len() && value.size() > rules.max_len()) {
    return bound<uint64_t>("bytes", "max_len", "at most", rules.max_len(), value.size());
  }
  return std::nullopt;
}

MaybeViolation checkDuration(const google::protobuf::Duration& value, const ::validate::DurationRules& rules) {
  const auto text = [](const google::protobuf::Duration& duration) { return TimeUtil::ToString(duration); };
  if (value.seconds() > TimeUtil::kDurationMaxSeconds || value.seconds() < TimeUtil::kDurationMinSeconds ||
      std::abs(value.nanos()) >= 1'000'000'000 || (value.seconds() > 0 && value.nanos() < 0) ||
      (value.seconds() < 0 && value.nanos() > 0)) {
    return Violation{"is not a valid duration; seconds and nanos must agree in sign and range", "duration"};
  }
  if (rules.has_lt() && !(value < rules.lt()))
    return bound("duration", "lt", "less than", text(rules.lt()), text(value));
  if (rules.has_lte() && value > rules.lte())
    return bound("duration", "lte", "at most", text(rules.lte()), text(value));
  if (rules.has_gt() && !(value > rules.gt()))
    return bound("duration", "gt", "more than", text(rules.gt()), text(value));
  if (rules.has_gte() && value < rules.gte())
    return bound("duration", "gte", "at least", text(rules.gte()), text(value));
  if (rules.has_const_() && value != rules.const_()) {
    return bound("duration", "const", "exactly", text(rules.const_()), text(value));
  }
  return std::nullopt;
}

MaybeViolation checkEnum(int value, bool is_defined, const ::validate::EnumRules& rules) {
  if (rules.defined_only() && !is_defined) {
    return Violation{absl::StrCat("must be a value that its enum defines, is ", value), "enum.defined_only"};
  }
  if (rules.has_const_() && value != rules.const_()) return bound("enum", "const", "exactly", rules.const_(), value);
  const auto listed = [value](const auto& list) { return std::find(list.begin(), list.end(), value) != list.end(); };
  if (rules.in_size() > 0 && !listed(rules.in())) return Violation{absl::StrCat("must not be ", value), "enum.in"};
  if (listed(rules.not_in())) return Violation{absl::StrCat("must not be ", value), "enum.not_in"};
  return std::nullopt;
}

template <typename Value, typename Rules>
MaybeViolation checkNumber(Value value, const Rules& rules, std::string_view kind) {
  if (rules.ignore_empty() && value == Value()) return std::nullopt;
  // Written so that NaN, which compares false, breaks each bound.
  if (rules.has_lt() && !(value < rules.lt())) return bound<Value>(kind, "lt", "less than", rules.lt(), value);
  if (rules.has_lte() && !(value <= rules.lte())) return bound<Value>(kind, "lte", "at most", rules.lte(), value);
  if (rules.has_gt() && !(value > rules.gt())) return bound<Value>(kind, "gt", "more than", rules.gt(), value);
  if (rules.has_gte() && !(value >= rules.gte())) return bound<Value>(kind, "gte", "at least", rules.gte(), value);
  if (rules.has_const_() && value != rules.const_())
    return bound<Value>(kind, "const", "exactly", rules.const_(), value);
  const auto listed = [value](const auto& list) { return std::find(list.begin(), list.end(), value) != list.end(); };
  if (rules.in_size() > 0 && !listed(rules.in())) {
    return Violation{absl::StrCat("must not be ", value), absl::StrCat(view(kind), ".in")};
  }
  if (listed(rules.not_in()))
    return Violation{absl::StrCat("must not be ", value), absl::StrCat(view(kind), ".not_in")};
  return std::nullopt;
}

template MaybeViolation checkNumber(double, const ::validate::DoubleRules&, std::string_view);
template MaybeViolation checkNumber(int32_t, const ::validate::Int32Rules&, std::string_view);
template MaybeViolation checkNumber(int64_t, const ::validate::Int64Rules&, std::string_view);
template MaybeViolation checkNumber(uint32_t, const ::validate::UInt32Rules&, std::string_view);
template MaybeViolation checkNumber(uint64_t, const ::validate::UInt64Rules&, std::string_view);

}  // namespace sluice::config
