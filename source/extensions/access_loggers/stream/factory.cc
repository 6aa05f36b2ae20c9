#include "source/extensions/access_loggers/stream/factory.h"

#include "source/base/text.h"
#include "source/config/format/substitution_format.h"

namespace sluice::extensions::access_loggers::stream {
namespace {

using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

template <typename Config>
absl::StatusOr<AccessLogPtr> make(const Config& config, std::string_view path, observability::LogFiles* files) {
  const absl::StatusOr<config::FormatterPtr> formatter =
      config.has_log_format() ? config::compileFormat(config.log_format(), sluice::stream::Escape::kLine)
                              : config::compileFormat(sluice::stream::kDefaultAccessLogFormat);
  if (!formatter.ok()) {
    return absl::InvalidArgumentError(base::strCat("log_format: ", base::toStd(formatter.status().message())));
  }
  if (files == nullptr) return nullptr;
  const auto file = files->open(path);
  if (!file.ok()) return file.status();
  return std::make_shared<const sluice::stream::LineAccessLog>(*formatter, *file);
}

}  // namespace

absl::StatusOr<AccessLogPtr> makeAccessLog(const StdoutAccessLog& config, observability::LogFiles* files) {
  return make(config, "/dev/stdout", files);
}

absl::StatusOr<AccessLogPtr> makeAccessLog(const StderrAccessLog& config, observability::LogFiles* files) {
  return make(config, "/dev/stderr", files);
}

}  // namespace sluice::extensions::access_loggers::stream
