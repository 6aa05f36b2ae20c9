#include "source/extensions/filters/network/set_filter_state/factory.h"

#include <memory>

#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/filter_state_compiler.h"
#include "source/extensions/filters/network/set_filter_state/filter.h"

namespace sluice::extensions::network_filters::set_filter_state {
namespace {

using Proto = ::envoy::extensions::filters::network::set_filter_state::v3::Config;

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    const auto rules = [&](const auto& values, std::string_view field) {
      return config::compileFilterStateRules(values, field, config::StateOf::kConnection, context.at);
    };
    Settings settings{rules(proto.on_new_connection(), "on_new_connection"),
                      rules(proto.on_downstream_tls_handshake(), "on_downstream_tls_handshake")};
    return std::make_shared<SetFilterState>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::set_filter_state
