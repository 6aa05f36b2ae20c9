#include "source/extensions/filters/http/set_filter_state/factory.h"

#include <memory>

#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "source/config/filter_state_compiler.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/filters/http/set_filter_state/filter.h"

namespace sluice::extensions::http_filters::set_filter_state {
namespace {

using Proto = ::envoy::extensions::filters::http::set_filter_state::v3::Config;

class Factory : public config::HttpFilterOf<Proto> {
 public:
  config::HttpFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(
        Settings{config::compileFilterStateRules(proto.on_request_headers(), "on_request_headers",
                                                 config::StateOf::kRequest, context.at),
                 proto.clear_route_cache()});
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::set_filter_state
