#include "source/extensions/filters/network/sni_dynamic_forward_proxy/factory.h"

#include <memory>
#include <utility>

#include "envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/dns_cache_compiler.h"
#include "source/extensions/filters/network/sni_dynamic_forward_proxy/filter.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {
namespace {

using ::envoy::extensions::filters::network::sni_dynamic_forward_proxy::v3::FilterConfig;

class Factory : public config::ConnectionFilterOf<FilterConfig> {
 public:
  config::ConnectionFilterPtr makeFilter(const FilterConfig& proto,
                                         const config::FactoryContext& context) const override {
    auto cache = config::compileDnsCache(proto.dns_cache_config(), context.child("dns_cache_config"));
    if (!cache) return nullptr;
    Settings settings{.cache = std::move(cache)};
    if (proto.port_specifier_case() == FilterConfig::kPortValue) {
      settings.port = static_cast<uint16_t>(proto.port_value());
    }
    return std::make_shared<FilterFactory>(std::move(settings));
  }
  bool needsServerName() const override { return true; }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy
