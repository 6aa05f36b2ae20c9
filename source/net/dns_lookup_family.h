// Which addresses a name is asked for. (proto: envoy.config.cluster.v3.Cluster.DnsLookupFamily)
#pragma once

#include <cstdint>

namespace sluice::net {

enum class DnsLookupFamily : uint8_t {
  kAuto,  // IPv6; IPv4 only if there is none
  kV4Only,
  kV6Only,
  kV4Preferred,  // IPv4; IPv6 only if there is none
  kAll,          // both
};

}  // namespace sluice::net
