#include "source/extensions/access_log_filters/cel/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/access_loggers/filters/cel/v3/cel.pb.h"
#include "source/config/access_log_filter_factory.h"
#include "source/config/cel_compiler.h"
#include "source/extensions/access_log_filters/cel/filter.h"

namespace sluice::extensions::access_log_filters::cel {
namespace {

using Proto = envoy::extensions::access_loggers::filters::cel::v3::ExpressionFilter;

class Factory : public config::AccessLogFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const stream::AccessLogFilter> compile(const google::protobuf::Message& message,
                                                         config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    auto program = config::compileCelCondition(proto.expression(), context.at.child("expression"));
    return program == nullptr ? nullptr : std::make_shared<ExpressionFilter>(std::move(program));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.access_log_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::access_log_filters::cel
