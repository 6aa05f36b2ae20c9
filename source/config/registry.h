// All extensions of the program, a table a kind.
//
// A folder includes this to register, and the header of its kind to make what it registers (http_filter_factory.h,
// ...). Thread: main. A factory checks what the rules of its proto cannot say and reports to its context; it returns
// null if anything is wrong. It does no I/O except through Services, which has no effects when a configuration is only
// validated: `sluice --mode validate` and `sluice-control` run the very same code.
#pragma once

#include <map>
#include <memory>

#include "source/config/factory.h"

namespace sluice::config {

class AccessLogConfigFactory;
class AccessLogFilterConfigFactory;
class ClusterKindFactory;
class ClusterTypeFactory;
class CompressorConfigFactory;
class ConnectionFilterConfigFactory;
class DecompressorConfigFactory;
class GeoipProviderConfigFactory;
class HttpFilterConfigFactory;
class LbPolicyFactory;
class ListenerFilterConfigFactory;
class MatchInputConfigFactory;
class NetworkFilterConfigFactory;
class RedirectPredicateConfigFactory;
class RetryPredicateConfigFactory;
class RetryPriorityConfigFactory;
class TerminalConfigFactory;
class TransportSocketConfigFactory;
class UdpFilterConfigFactory;
class ValueMatcherConfigFactory;

// Filled once by registerAll (source/extensions/all.h), then read only.
struct Registry {
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  FactoryTable<HttpFilterConfigFactory> http_filters;
  FactoryTable<TerminalConfigFactory> terminals;
  FactoryTable<NetworkFilterConfigFactory> network_filters;
  FactoryTable<ConnectionFilterConfigFactory> connection_filters;
  FactoryTable<ListenerFilterConfigFactory> listener_filters;
  FactoryTable<UdpFilterConfigFactory> udp_filters;
  FactoryTable<AccessLogConfigFactory> access_logs;
  FactoryTable<AccessLogFilterConfigFactory> access_log_filters;
  FactoryTable<TransportSocketConfigFactory> transport_sockets;
  FactoryTable<MatchInputConfigFactory> match_inputs;
  FactoryTable<ValueMatcherConfigFactory> value_matchers;
  FactoryTable<RetryPredicateConfigFactory> retry_host_predicates;
  FactoryTable<RetryPriorityConfigFactory> retry_priorities;
  FactoryTable<RedirectPredicateConfigFactory> redirect_predicates;
  FactoryTable<CompressorConfigFactory> compressors;
  FactoryTable<DecompressorConfigFactory> decompressors;
  FactoryTable<GeoipProviderConfigFactory> geoip_providers;
  FactoryTable<LbPolicyFactory> lb_policies;
  FactoryTable<ClusterKindFactory> cluster_kinds;
  std::map<int, std::unique_ptr<const ClusterTypeFactory>> cluster_types;  // (proto: Cluster.DiscoveryType)
};

}  // namespace sluice::config
