#include "source/extensions/filters/listener/http_inspector/factory.h"

#include "envoy/extensions/filters/listener/http_inspector/v3/http_inspector.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/extensions/filters/listener/http_inspector/filter.h"

namespace sluice::extensions::listener_filters::http_inspector {
namespace {

using Proto = envoy::extensions::filters::listener::http_inspector::v3::HttpInspector;

Settings makeSettings(observability::Scope& stats) {
  return {stats.counter("http_inspector.http10_found"), stats.counter("http_inspector.http11_found"),
          stats.counter("http_inspector.http2_found"), stats.counter("http_inspector.http_not_found")};
}

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message&,
                                                        config::FactoryContext context) const override {
    return std::make_shared<Filter>(makeSettings(*context.stats));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::listener_filters::http_inspector
