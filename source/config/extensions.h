// The kinds of extensions that there are, and what their factories may use.
//
// Thread: main. A factory checks what the rules of its proto cannot say and reports to `context`; it returns null if
// anything is wrong. It does no I/O except through Services, which has no effects when a configuration is only
// validated: `sluice --mode validate` and `sluice-control` run the very same code.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "source/config/cluster_extensions.h"
#include "source/config/factory.h"
#include "source/config/route_compiler.h"
#include "source/config/services.h"
#include "source/filter/chain.h"
#include "source/filter/listener_filter.h"
#include "source/filter/network.h"
#include "source/filter/terminal.h"
#include "source/filter/udp.h"
#include "source/net/transport.h"
#include "source/route/table.h"
#include "source/stream/access_log.h"

namespace sluice::config {

class HttpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                                   FactoryContext context) const = 0;
  // The type of its `typed_per_filter_config` entries; empty if it has none.
  virtual std::string_view routeConfigType() const { return {}; }
  virtual std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message&,
                                                                     FactoryContext) const {
    return nullptr;
  }
};

// compileRouteTable with what `services` know: per-route settings go to the factories of their filters, clusters that
// no route may lead to are refused. `chain`: of a table that stands in a listener; there settings for a filter that is
// not in the chain are an error, and validate_clusters is on unless it says otherwise. Null for RDS, whose tables many
// chains share. `owner` and `identity` as in FactoryContext.
std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services, const ChainFilters* chain,
                                                  const std::string& owner = {}, const std::string& identity = {});

// The last filter of an HTTP chain.
class TerminalConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message& message,
                                                                FactoryContext context) const = 0;
};

// The last network filter of a chain.
class NetworkFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                                       FactoryContext context) const = 0;
};

// What carries the bytes of connections. Null is a plain socket, or something is wrong and was reported.
class TransportSocketConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message& message,
                                                                         FactoryContext context) const = 0;
  virtual std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                                       FactoryContext context) const = 0;
};

enum class TransportSide : uint8_t { kDownstream, kUpstream };

// A `transport_socket` field; `context` stands at it, its owner is the listener's or cluster's.
std::shared_ptr<const net::TransportFactory> compileTransport(const envoy::config::core::v3::TransportSocket& socket,
                                                              TransportSide side, const FactoryContext& context);

// A network filter in front of the terminal one.
class ConnectionFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::ConnectionFilter> compile(const google::protobuf::Message& message,
                                                                  FactoryContext context) const = 0;
};

// What looks at a connection before its filter chain is chosen.
class ListenerFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                                FactoryContext context) const = 0;
};

// What serves the datagrams of a UDP listener.
class UdpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::UdpFilter> compile(const google::protobuf::Message& message,
                                                           FactoryContext context) const = 0;
};

class AccessLogConfigFactory : public ExtensionFactory {
 public:
  // Null without an error when only validating.
  virtual std::shared_ptr<const stream::AccessLog> compile(const google::protobuf::Message& message,
                                                           FactoryContext context) const = 0;
};

// An `access_log` list; `context` stands at the message that has it.
stream::AccessLogs compileAccessLogs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& logs,
    const FactoryContext& context);

// All extensions of the program. Filled once by registerAll (source/extensions/all.h), then read only.
struct Registry {
  FactoryTable<HttpFilterConfigFactory> http_filters{"HTTP filter"};
  FactoryTable<TerminalConfigFactory> terminals{"terminal HTTP filter"};
  FactoryTable<NetworkFilterConfigFactory> network_filters{"network filter"};
  FactoryTable<ConnectionFilterConfigFactory> connection_filters{"network filter"};
  FactoryTable<ListenerFilterConfigFactory> listener_filters{"listener filter"};
  FactoryTable<UdpFilterConfigFactory> udp_filters{"UDP listener filter"};
  FactoryTable<AccessLogConfigFactory> access_logs{"access logger"};
  FactoryTable<TransportSocketConfigFactory> transport_sockets{"transport socket"};
  FactoryTable<LbPolicyFactory> lb_policies{"load balancing policy"};
  FactoryTable<ClusterKindFactory> cluster_kinds{"cluster"};
  std::map<int, std::unique_ptr<const ClusterTypeFactory>> cluster_types;  // (proto: Cluster.DiscoveryType)
};

}  // namespace sluice::config
