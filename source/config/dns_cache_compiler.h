// DnsCacheConfig as the cache that all of its users in the process share.
//
// Thread: main. Run after validate().
#pragma once

#include <memory>

#include "envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.pb.h"
#include "source/config/services.h"
#include "source/dns_cache/dns_cache.h"

namespace sluice::config {

// The cache of that name, made if nobody holds one. Null after an error: the configuration is wrong, or somebody holds
// a cache of that name with other settings. `context` stands at the message.
std::shared_ptr<const dns_cache::DnsCache> compileDnsCache(
    const envoy::extensions::common::dynamic_forward_proxy::v3::DnsCacheConfig& proto, const FactoryContext& context);

}  // namespace sluice::config
