// Filters whose configuration comes by ECDS. Thread: main. Run after validate().
//
// `name` of the filter, which is that of the configuration. The context stands at config_discovery; its owner and
// identity are the filter's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/services.h"
#include "source/filter/discovered_network_filters.h"
#include "source/filter/http_filter.h"
#include "source/filter/listener_filter.h"

namespace sluice::config {

// The full name in an entry of type_urls, which may be one without a host.
inline std::string_view discoveredType(std::string_view type_url) {
  return type_url.substr(type_url.rfind('/') + 1);  // npos + 1 is 0
}

struct DiscoveredHttpFilter {
  std::shared_ptr<const filter::HttpFilterFactory> factory;  // null after an error
  const HttpFilterConfigFactory* type = nullptr;             // the first of type_urls, for settings of routes
};
DiscoveredHttpFilter compileDiscoveredFilter(const std::string& name,
                                             const envoy::config::core::v3::ExtensionConfigSource& proto,
                                             const FactoryContext& context);

// HttpFilterConfigFactory::switchRefusal() of what may come. Another type beside one that has a refusal is reported: an
// update could take that one away. `at` stands at the filter.
std::string_view discoveredSwitchRefusal(const envoy::config::core::v3::ExtensionConfigSource& proto,
                                         const Services& services, const Context& at);

// Of a listener. Null after an error.
std::shared_ptr<const filter::ListenerFilterHolder> compileDiscoveredListenerFilter(
    const std::string& name, const envoy::config::core::v3::ExtensionConfigSource& proto,
    const FactoryContext& context);

// One in front of the last filter of a chain. Null after an error.
std::shared_ptr<const filter::NetworkFilterHolder> compileDiscoveredNetworkFilter(
    const std::string& name, const envoy::config::core::v3::ExtensionConfigSource& proto,
    const FactoryContext& context);

}  // namespace sluice::config
