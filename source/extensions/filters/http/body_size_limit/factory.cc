#include "source/extensions/filters/http/body_size_limit/factory.h"

#include <memory>
#include <optional>

#include "envoy/extensions/filters/http/body_size_limit/v3/body_size_limit.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/body_size_limit/filter.h"

namespace sluice::extensions::http_filters::body_size_limit {
namespace {

using Proto = envoy::extensions::filters::http::body_size_limit::v3::BodySizeLimit;

std::optional<uint64_t> maxOf(const Proto& proto) {
  return proto.has_max_request_bytes() ? std::optional<uint64_t>(proto.max_request_bytes().value()) : std::nullopt;
}

class Factory : public config::RoutedHttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(
        Settings{maxOf(proto), context.stats->counter(context.owner + "body_size_limit.rq_too_large")});
  }

  config::RouteConfigPtr makeRouteConfig(const Proto& proto, const config::FactoryContext&) const override {
    return std::make_shared<RouteSettings>(maxOf(proto));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::body_size_limit
