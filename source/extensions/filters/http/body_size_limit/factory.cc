#include "source/extensions/filters/http/body_size_limit/factory.h"

#include <memory>
#include <optional>

#include "envoy/extensions/filters/http/body_size_limit/v3/body_size_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/body_size_limit/filter.h"

namespace sluice::extensions::http_filters::body_size_limit {
namespace {

using Proto = envoy::extensions::filters::http::body_size_limit::v3::BodySizeLimit;

std::optional<uint64_t> maxOf(const google::protobuf::Message& message) {
  const auto& proto = static_cast<const Proto&>(message);
  return proto.has_max_request_bytes() ? std::optional<uint64_t>(proto.max_request_bytes().value()) : std::nullopt;
}

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::string_view routeConfigType() const override { return configType(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    return std::make_shared<FilterFactory>(
        Settings{maxOf(message), context.stats->counter(context.owner + "body_size_limit.rq_too_large")});
  }

  std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message& message,
                                                             config::FactoryContext) const override {
    return std::make_shared<RouteSettings>(maxOf(message));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::body_size_limit
