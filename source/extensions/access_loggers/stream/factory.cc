#include "source/extensions/access_loggers/stream/factory.h"

#include <memory>

#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "source/base/text.h"
#include "source/config/access_log_factory.h"
#include "source/config/format/substitution_format.h"

namespace sluice::extensions::access_loggers::stream {
namespace {

using envoy::extensions::access_loggers::stream::v3::StderrAccessLog;
using envoy::extensions::access_loggers::stream::v3::StdoutAccessLog;

template <typename Proto>
class Factory : public config::AccessLogConfigFactory {
 public:
  explicit Factory(std::string_view path) : path_(path) {}
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const sluice::stream::AccessLog> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    const absl::StatusOr<config::FormatterPtr> formatter =
        proto.has_log_format() ? config::compileFormat(proto.log_format(), sluice::stream::Escape::kLine)
                               : config::compileFormat(sluice::stream::kDefaultAccessLogFormat);
    config::warnOfContentType(proto.log_format(), context.at.child("log_format"));
    if (!formatter.ok()) {
      context.at.child("log_format").error(base::toStd(formatter.status().message()));
      return nullptr;
    }
    if (context.services.log_files == nullptr) return nullptr;
    const auto file = context.services.log_files->open(path_);
    if (file.ok()) return std::make_shared<const sluice::stream::LineAccessLog>(*formatter, *file);
    context.at.error(base::toStd(file.status().message()));
    return nullptr;
  }

 private:
  const std::string_view path_;
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.access_logs.add(std::make_unique<Factory<StdoutAccessLog>>("/dev/stdout"));
  registry.access_logs.add(std::make_unique<Factory<StderrAccessLog>>("/dev/stderr"));
}

}  // namespace sluice::extensions::access_loggers::stream
