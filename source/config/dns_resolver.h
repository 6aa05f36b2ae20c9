// How names are looked up: whom to ask, how patiently, and for which addresses.
#pragma once

#include <chrono>
#include <string_view>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/address.pb.h"
#include "envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.pb.h"
#include "source/config/errors.h"
#include "source/net/dns.h"

namespace sluice::config {

using DnsServers = google::protobuf::RepeatedPtrField<envoy::config::core::v3::Address>;
using envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;

// Nobody waits longer for a server.
inline constexpr std::chrono::hours kLongestDnsTry{1};

// Those of `field` in the message at `at`, behind those that `out` has.
void addDnsServers(const DnsServers& servers, std::string_view field, const Context& at, net::DnsResolverOptions& out);
// What is not set stays as it is.
void compileCares(const CaresDnsResolverConfig& proto, const Context& at, net::DnsResolverOptions& out);

net::DnsLookupFamily compileLookupFamily(const envoy::config::cluster::v3::Cluster& cluster, const Context& at);

}  // namespace sluice::config
