#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::udp_filters::dns_filter {

// envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::udp_filters::dns_filter
