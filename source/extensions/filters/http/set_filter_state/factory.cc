#include "source/extensions/filters/http/set_filter_state/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "source/config/filter_state_compiler.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/set_filter_state/filter.h"

namespace sluice::extensions::http_filters::set_filter_state {
namespace {

using Proto = ::envoy::extensions::filters::http::set_filter_state::v3::Config;

class Factory : public config::HttpFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const config::ErrorMark mark(context.at);
    const auto& proto = static_cast<const Proto&>(message);
    Settings settings{config::compileFilterStateRules(proto.on_request_headers(), "on_request_headers",
                                                      config::StateOf::kRequest, context.at),
                      proto.clear_route_cache()};
    if (mark.hit()) return nullptr;
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::set_filter_state
