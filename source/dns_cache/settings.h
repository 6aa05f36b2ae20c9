// A cache as it is configured. (proto: envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig)
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "source/dns_cache/address_guard.h"
#include "source/dns_cache/host_name.h"
#include "source/net/dns_lookup_family.h"

namespace sluice::dns_cache {

struct Settings {
  using milliseconds = std::chrono::milliseconds;

  std::string name;
  std::string source;  // the configuration's bytes: those of one name have to be equal everywhere
  net::DnsLookupFamily lookup_family = net::DnsLookupFamily::kAuto;
  milliseconds refresh_rate{60'000};      // where the answer has no time to live
  milliseconds min_refresh_rate{5'000};   // a shorter time to live counts as this
  milliseconds failure_base_interval{0};  // after failures, doubling up to the next; 0: refresh_rate
  milliseconds failure_max_interval{0};
  milliseconds query_timeout{5'000};  // 0: kLookupDeadline
  milliseconds host_ttl{300'000};     // a name that nobody asks for goes
  uint32_t max_hosts = 1024;
  uint32_t max_pending_requests = 1024;  // that wait, in the whole process
  std::vector<HostName> preresolved;
  AddressGuard guard;
};

}  // namespace sluice::dns_cache
