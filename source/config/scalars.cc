#include "source/config/scalars.h"

#include <cmath>
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

// strtod and its relatives take surrounding blanks and hexadecimal floats; the configuration does not.
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
  // Beyond 2^53 a fraction or exponent does not name one integer.
  if (std::fabs(number) > 9007199254740992.0 || (number < 0 && std::is_unsigned_v<Integer>)) return std::nullopt;
  return static_cast<Integer>(number);
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
  if (!hasNumberShape(node.text) || !absl::SimpleAtod(node.text, &number) || std::isinf(number)) return std::nullopt;
  return number;
}

std::optional<bool> toBool(const DocumentNode& node) {
  if (node.kind == Kind::kBool) return node.boolean;
  if (node.kind == Kind::kString && node.text == "true") return true;
  if (node.kind == Kind::kString && node.text == "false") return false;
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
  google::protobuf::Duration duration;
  if (!google::protobuf::util::TimeUtil::FromString(std::string(text), &duration)) return std::nullopt;
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
