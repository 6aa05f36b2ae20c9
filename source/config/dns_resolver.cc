#include "source/config/dns_resolver.h"

#include <algorithm>
#include <cstdint>

#include "source/config/values.h"

namespace sluice::config {

void addDnsServers(const DnsServers& servers, std::string_view field, const Context& at, net::DnsResolverOptions& out) {
  for (int i = 0; i < servers.size(); ++i) {
    const Context server_at = at.child(field, static_cast<size_t>(i));
    const auto address = compileAddress(servers[i], server_at, true);
    if (!address) continue;
    if (address->isIp() && address->port() != 0) {
      out.servers.push_back(*address);
    } else {
      server_at.error("a DNS server is an IP address with a port, mostly 53");
    }
  }
}

void compileCares(const CaresDnsResolverConfig& proto, const Context& at, net::DnsResolverOptions& out) {
  addDnsServers(proto.resolvers(), "resolvers", at, out);
  if (proto.has_query_timeout_seconds()) {
    constexpr uint64_t kMost = std::chrono::seconds(kLongestDnsTry).count();
    out.timeout = std::chrono::seconds(std::min(proto.query_timeout_seconds().value(), kMost));
  }
  constexpr uint32_t kMostTries = 100;
  if (proto.has_query_tries()) out.tries = static_cast<int>(std::min(proto.query_tries().value(), kMostTries));
}

net::DnsLookupFamily compileLookupFamily(const envoy::config::cluster::v3::Cluster& cluster, const Context& at) {
  using envoy::config::cluster::v3::Cluster;
  if (cluster.dns_lookup_family() < Cluster::AUTO || cluster.dns_lookup_family() > Cluster::ALL) {
    at.child("dns_lookup_family").error("use AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED or ALL");
  }
  return static_cast<net::DnsLookupFamily>(cluster.dns_lookup_family());
}

}  // namespace sluice::config
