#include "source/config/log_format.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/util/json_util.h"

namespace sluice::config {

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
  for (const char* flag : {"%v", "%_"}) {
    if (!absl::StrContains(pattern, flag)) continue;
    at.error(absl::StrCat("holds ", flag, ", which would put a message with quotes between quotes; write %j"));
    return {};
  }
  return pattern;
}

}  // namespace sluice::config
