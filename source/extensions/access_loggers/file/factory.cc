#include "source/extensions/access_loggers/file/factory.h"

#include <memory>

#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "source/base/text.h"
#include "source/config/access_log_factory.h"
#include "source/config/format/substitution_format.h"

namespace sluice::extensions::access_loggers::file {
namespace {

using envoy::extensions::access_loggers::file::v3::FileAccessLog;

absl::StatusOr<config::FormatterPtr> compileFormatter(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kLogFormat:
      return config::compileFormat(config.log_format(), sluice::stream::Escape::kLine);
    case FileAccessLog::kJsonFormat:  // the old form: all values are strings
      return config::compileFormat(config.json_format(), sluice::stream::JsonFormatter::Options{false, false});
    case FileAccessLog::kTypedJsonFormat:
      return config::compileFormat(config.typed_json_format(), sluice::stream::JsonFormatter::Options{false, true});
    case FileAccessLog::kFormat:
      if (!config.format().empty()) return config::compileFormat(config.format());
      break;
    case FileAccessLog::ACCESS_LOG_FORMAT_NOT_SET:
      break;
  }
  return config::compileFormat(sluice::stream::kDefaultAccessLogFormat);
}

std::string_view fieldOf(const FileAccessLog& config) {
  switch (config.access_log_format_case()) {
    case FileAccessLog::kLogFormat:
      return "log_format";
    case FileAccessLog::kJsonFormat:
      return "json_format";
    case FileAccessLog::kTypedJsonFormat:
      return "typed_json_format";
    default:
      return "format";
  }
}

class Factory : public config::AccessLogConfigFactory {
 public:
  std::string_view configType() const override { return FileAccessLog::descriptor()->full_name(); }

  std::shared_ptr<const sluice::stream::AccessLog> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const auto& proto = static_cast<const FileAccessLog&>(message);
    const auto formatter = compileFormatter(proto);
    config::warnOfContentType(proto.log_format(), context.at.child("log_format"));
    if (!formatter.ok()) context.at.child(fieldOf(proto)).error(base::toStd(formatter.status().message()));
    const config::Context path = context.at.child("path");
    if (proto.path().empty()) path.error("is empty; name the file to append to");
    if (!formatter.ok() || proto.path().empty() || context.services.log_files == nullptr) return nullptr;
    const auto file = context.services.log_files->open(proto.path());
    if (file.ok()) return std::make_shared<const sluice::stream::LineAccessLog>(*formatter, *file);
    path.error(base::toStd(file.status().message()));
    return nullptr;
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.access_logs.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::access_loggers::file
