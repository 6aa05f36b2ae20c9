#include "source/extensions/filters/network/connection_limit/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/extensions/filters/network/connection_limit/filter.h"

namespace sluice::extensions::network_filters::connection_limit {
namespace {

using Proto = envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit;

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    if (!proto.has_max_connections()) {
      context.at.child("max_connections").error("is not set; say how many connections there may be");
      return nullptr;
    }
    if (proto.has_runtime_enabled() && !config::compileFlag(proto.runtime_enabled(), context.services.runtime.get())) {
      return std::make_shared<filter::NetworkFilterFactory>();  // switched off: lets all through
    }
    const std::string base = absl::StrCat("connection_limit.", proto.stat_prefix(), ".");
    return std::make_shared<ConnectionLimit>(
        proto.max_connections().value(), config::compileMilliseconds(proto.delay()),
        Stats{context.stats->counter(base + "limited_connections"), context.stats->gauge(base + "active_connections")},
        context.shared<Active>(base));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::connection_limit
