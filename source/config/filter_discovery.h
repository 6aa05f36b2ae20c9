// HTTP filters whose configuration comes by ECDS. Thread: main. Run after validate().
#pragma once

#include <memory>
#include <string>

#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/services.h"
#include "source/filter/http_filter.h"

namespace sluice::config {

struct DiscoveredHttpFilter {
  std::shared_ptr<const filter::HttpFilterFactory> factory;  // null after an error
  const HttpFilterConfigFactory* type = nullptr;             // the first of type_urls, for settings of routes
};

// `name` of the filter, which is that of the configuration. The context stands at config_discovery; its owner and
// identity are the filter's.
DiscoveredHttpFilter compileDiscoveredFilter(const std::string& name,
                                             const envoy::config::core::v3::ExtensionConfigSource& proto,
                                             const FactoryContext& context);

}  // namespace sluice::config
