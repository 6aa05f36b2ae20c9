#include "source/extensions/access_loggers/file/factory.h"

#include "source/base/text.h"
#include "source/config/format/substitution_format.h"

namespace sluice::extensions::access_loggers::file {
namespace {

using envoy::extensions::access_loggers::file::v3::FileAccessLog;

absl::StatusOr<config::FormatterPtr> compile(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kLogFormat:
      return config::compileFormat(config.log_format(), stream::Escape::kLine);
    case FileAccessLog::kJsonFormat:  // the old form: all values are strings
      return config::compileFormat(config.json_format(), stream::JsonFormatter::Options{false, false});
    case FileAccessLog::kFormat:
      if (!config.format().empty()) return config::compileFormat(config.format());
      break;
    case FileAccessLog::ACCESS_LOG_FORMAT_NOT_SET:
      break;
  }
  return config::compileFormat(stream::kDefaultAccessLogFormat);
}

std::string_view fieldOf(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kLogFormat:
      return "log_format";
    case FileAccessLog::kJsonFormat:
      return "json_format";
    default:
      return "format";
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const stream::AccessLog>> makeAccessLog(const FileAccessLog& config,
                                                                       observability::LogFiles* files) {
  const absl::StatusOr<config::FormatterPtr> formatter = compile(config);
  if (!formatter.ok()) {
    return absl::InvalidArgumentError(base::strCat(fieldOf(config), ": ", base::toStd(formatter.status().message())));
  }
  if (config.path().empty()) return absl::InvalidArgumentError("path: is empty; name the file to append to");
  if (files == nullptr) return nullptr;
  const auto file = files->open(config.path());
  if (!file.ok()) return absl::InvalidArgumentError(base::strCat("path: ", base::toStd(file.status().message())));
  return std::make_shared<const stream::LineAccessLog>(*formatter, *file);
}

}  // namespace sluice::extensions::access_loggers::file
