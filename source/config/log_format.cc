#include "source/config/log_format.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace sluice::config {
namespace {

// The first flag that writes a message as it is, with its padding: "%v", "%_", "%-8!v", or "%+", which is a whole line.
// Empty: there is none.
std::string_view plainMessage(std::string_view pattern) {
  for (size_t at = pattern.find('%'); at != std::string_view::npos; at = pattern.find('%', at)) {
    const size_t flag = pattern.find_first_not_of("-=!0123456789", at + 1);
    if (flag == std::string_view::npos) break;
    if (std::string_view("v_+").find(pattern[flag]) != std::string_view::npos) return pattern.substr(at, flag + 1 - at);
    at = flag + 1;
  }
  return {};
}

}  // namespace

std::string compileLogFormat(const envoy::config::bootstrap::v3::Bootstrap::ApplicationLogConfig& config,
                             const Context& context) {
  const auto& format = config.log_format();
  if (!format.has_json_format()) return format.text_format();
  std::string pattern;
  const Context at = context.child("log_format").child("json_format");
  if (!google::protobuf::util::MessageToJsonString(format.json_format(), &pattern).ok()) {
    at.error("cannot be written as JSON; use text, numbers, lists and mappings");
    return {};
  }
  if (const std::string_view flag = plainMessage(pattern); !flag.empty()) {
    at.error(
        absl::StrCat("holds ", std::string(flag), ", which would put a message with quotes between quotes; write %j"));
    return {};
  }
  return pattern;
}

}  // namespace sluice::config
