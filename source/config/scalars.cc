#include "source/config/scalars.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"

namespace sluice::config {
namespace {

using Kind = DocumentNode::Kind;

absl::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

bool isNumeric(const DocumentNode& node) {
  return node.kind == Kind::kInteger || node.kind == Kind::kNumber || node.kind == Kind::kString;
}

// strtod and its relatives take surrounding blanks; the configuration does not.
bool hasNumberShape(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

template <typename Integer>
std::optional<Integer> toInteger(const DocumentNode& node) {
  if (!isNumeric(node) || !hasNumberShape(node.text)) return std::nullopt;
  Integer value = 0;
  if (absl::SimpleAtoi(node.text, &value)) return value;
  double number = 0;
  if (!absl::SimpleAtod(node.text, &number) || std::trunc(number) != number) return std::nullopt;
  const double above = std::ldexp(1.0, std::numeric_limits<Integer>::digits);  // the first that is too large
  if (number >= above || number < static_cast<double>(std::numeric_limits<Integer>::min())) return std::nullopt;
  return static_cast<Integer>(number);
}

// "0x1p3", as a string only.
std::optional<double> toHexadecimal(const std::string& text) {
  const bool negative = text.starts_with('-');
  const std::string digits = absl::AsciiStrToLower(text.substr(negative ? 1 : 0));
  if (!digits.starts_with("0x") || digits.find_first_not_of("0123456789abcdefp+-.", 2) != std::string::npos)
    return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(digits.c_str(), &end);
  if (*end != '\0' || std::isinf(number)) return std::nullopt;
  return negative ? -number : number;
}

// The digits after the point of a duration as nanoseconds. More than nine do not fit, unless they say nothing.
std::optional<int32_t> toNanos(std::string_view digits) {
  constexpr size_t kPlaces = 9;
  if (digits.size() > kPlaces && digits.find_first_not_of('0') == std::string_view::npos) return 0;
  if (digits.size() > kPlaces || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  int32_t nanos = 0;
  for (size_t i = 0; i < kPlaces; ++i) nanos = nanos * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return nanos;
}

// The whole seconds of a duration: digits, with a plus sign or spaces around them if need be.
std::optional<int64_t> toSeconds(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t seconds = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  if (!absl::SimpleAtoi(view(text), &seconds)) return std::nullopt;
  if (seconds > google::protobuf::util::TimeUtil::kDurationMaxSeconds) return std::nullopt;
  return seconds;
}

}  // namespace

std::optional<int64_t> toInt64(const DocumentNode& node) {
  return toInteger<int64_t>(node);
}

std::optional<uint64_t> toUint64(const DocumentNode& node) {
  return toInteger<uint64_t>(node);
}

std::optional<double> toDouble(const DocumentNode& node) {
  if (!isNumeric(node)) return std::nullopt;
  if (node.text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (node.text == "Infinity") return std::numeric_limits<double>::infinity();
  if (node.text == "-Infinity") return -std::numeric_limits<double>::infinity();
  double number = 0;
  if (!hasNumberShape(node.text)) return node.kind == Kind::kString ? toHexadecimal(node.text) : std::nullopt;
  if (!absl::SimpleAtod(node.text, &number) || std::isinf(number)) return std::nullopt;
  if (node.kind == Kind::kInteger && number == 0) return 0;  // not -0
  return number;
}

std::optional<bool> toBool(const DocumentNode& node) {
  if (node.kind == Kind::kBool) return node.boolean;
  bool value = false;
  if (node.kind == Kind::kString && absl::SimpleAtob(node.text, &value)) return value;
  return std::nullopt;
}

std::optional<int> toEnum(const DocumentNode& node, const google::protobuf::EnumDescriptor& type) {
  if (node.kind == Kind::kString || node.kind == Kind::kBool) {
    std::string name = absl::AsciiStrToUpper(node.text);
    for (char& c : name) c = c == '-' ? '_' : c;
    for (int i = 0; i < type.value_count(); ++i) {
      if (type.value(i)->name() == node.text || absl::AsciiStrToUpper(type.value(i)->name()) == name) {
        return type.value(i)->number();
      }
    }
  }
  const std::optional<int64_t> number = toInt64(node);
  if (!number || *number < std::numeric_limits<int32_t>::min() || *number > std::numeric_limits<int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<int>(*number);
}

std::optional<std::string> toBytes(const DocumentNode& node) {
  if (node.kind != Kind::kString) return std::nullopt;
  std::string bytes;
  if (absl::Base64Unescape(node.text, &bytes) || absl::WebSafeBase64Unescape(node.text, &bytes)) return bytes;
  return std::nullopt;
}

std::optional<google::protobuf::Duration> toDuration(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const int sign = text.starts_with('-') ? -1 : 1;
  if (sign < 0) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  const std::optional<int64_t> seconds = toSeconds(text.substr(0, point));
  const std::optional<int32_t> nanos = toNanos(text.substr(std::min(point + 1, text.size())));
  if (!seconds || !nanos) return std::nullopt;
  google::protobuf::Duration duration;
  duration.set_seconds(*seconds * sign);
  duration.set_nanos(*nanos * sign);
  return duration;
}

std::optional<google::protobuf::Timestamp> toTimestamp(std::string_view text) {
  google::protobuf::Timestamp timestamp;
  if (!google::protobuf::util::TimeUtil::FromString(std::string(text), &timestamp)) return std::nullopt;
  return timestamp;
}

std::string durationAdvice(std::string_view text) {
  size_t unit_at = 0;
  while (unit_at < text.size() && (absl::ascii_isdigit(text[unit_at]) || text[unit_at] == '.')) ++unit_at;
  double number = 0;
  const std::string_view unit = text.substr(unit_at);
  if (absl::SimpleAtod(view(text.substr(0, unit_at)), &number) && number < 1e9) {
    for (const auto& [name, seconds] : {std::pair<std::string_view, double>{"", 1},
                                        {"ms", 0.001},
                                        {"us", 0.000001},
                                        {"m", 60},
                                        {"min", 60},
                                        {"h", 3600}}) {
      if (unit == name) return absl::StrCat("write \"", number * seconds, "s\"");
    }
  }
  return "a duration is a number of seconds with its unit, such as \"0.25s\" or \"30s\"";
}

}  // namespace sluice::config
