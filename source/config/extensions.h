// The kinds of extensions that there are, and what their factories may use.
//
// Thread: main. A factory checks what the rules of its proto cannot say and reports to `context`; it returns null if
// anything is wrong. It does no I/O except through Services, which has no effects when a configuration is only
// validated: `sluice --mode validate` and `sluice-control` run the very same code.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/config_source.pb.h"
#include "source/config/factory.h"
#include "source/config/route_compiler.h"
#include "source/config/secrets.h"
#include "source/filter/chain.h"
#include "source/filter/listener_filter.h"
#include "source/filter/network.h"
#include "source/filter/terminal.h"
#include "source/filter/udp.h"
#include "source/net/transport.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/route/cluster_names.h"
#include "source/route/filter_slots.h"
#include "source/route/table.h"
#include "source/route/table_slot.h"
#include "source/stream/access_log.h"

namespace sluice::config {

struct Registry;
class HttpFilterConfigFactory;

// The filters of a chain by their names in it. Null: a terminal filter, which has no per-route settings.
using ChainFilters = std::map<std::string, const HttpFilterConfigFactory*, std::less<>>;

// Which defaults stand where a field is not set. (docs: "Defaults" in ARCHITECTURE.md)
enum class Defaults : uint8_t { kEdge, kEnvoy };

// Gives route tables their places; RDS fills them later.
class RouteSlots {
 public:
  virtual ~RouteSlots() = default;
  virtual std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table> table) = 0;
  // Null after reporting to `context` if the source cannot be used.
  virtual std::shared_ptr<const route::TableSlot> rds(const std::string& name,
                                                      const envoy::config::core::v3::ConfigSource& source,
                                                      const Context& context) = 0;
  // `slot` of rds(), for a connection manager with these filters: tables come later than the chain and may have
  // settings for filters that it does not have.
  virtual std::shared_ptr<const route::TableSlot> usedBy(std::shared_ptr<const route::TableSlot> slot,
                                                         const ChainFilters& /*chain*/,
                                                         std::string_view /*stat_prefix*/) {
    return slot;
  }
};

// What factories may use. All of it outlives what they make.
struct Services {
  const Registry& registry;
  observability::StatsRegistry& stats;
  observability::LogFiles* log_files;  // null: only validating, nothing is opened
  route::ClusterNames& cluster_names;
  route::FilterSlots& filter_slots;
  RouteSlots& route_slots;
  Defaults defaults = Defaults::kEdge;
  // Whether a cluster is configured; empty: not known here, references are not checked.
  std::function<bool(std::string_view cluster)> cluster_exists = {};
  // Null: secrets with names and files that change are not followed; configurations are only checked.
  Secrets* secrets = nullptr;
  // Of what a transport socket is being compiled for: the listener's or cluster's name in stats.
  std::string transport_owner = {};
  // Under which the filters of the connection manager that is being compiled name their stats: "http.PREFIX.".
  std::string stat_prefix = {};
  // The cluster that this process belongs to, for what tells services of itself. (proto: Node.cluster)
  std::string node_cluster = {};
};

class HttpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                                   const Context& context,
                                                                   Services& services) const = 0;
  // The type of its `typed_per_filter_config` entries; empty if it has none.
  virtual std::string_view routeConfigType() const { return {}; }
  virtual std::shared_ptr<const route::PerFilterConfig> compileRoute(const google::protobuf::Message&, const Context&,
                                                                     Services&) const {
    return nullptr;
  }
};

// compileRouteTable with what `services` know: per-route settings go to the factories of their filters, clusters that
// no route may lead to are refused. `chain`: of a table that stands in a listener; there settings for a filter that is
// not in the chain are an error, and validate_clusters is on unless it says otherwise. Null for RDS, whose tables many
// chains share.
std::shared_ptr<const route::Table> compileRoutes(const envoy::config::route::v3::RouteConfiguration& config,
                                                  const Context& context, Services& services,
                                                  const ChainFilters* chain);

// The last filter of an HTTP chain.
class TerminalConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalConfig> compile(const google::protobuf::Message& message,
                                                                const Context& context, Services& services) const = 0;
};

// The last network filter of a chain.
class NetworkFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::TerminalNetworkFilter> compile(const google::protobuf::Message& message,
                                                                       const Context& context,
                                                                       Services& services) const = 0;
};

// What carries the bytes of connections. Null is a plain socket, or something is wrong and was reported.
class TransportSocketConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const net::TransportFactory> compileDownstream(const google::protobuf::Message& message,
                                                                         const Context& context,
                                                                         Services& services) const = 0;
  virtual std::shared_ptr<const net::TransportFactory> compileUpstream(const google::protobuf::Message& message,
                                                                       const Context& context,
                                                                       Services& services) const = 0;
};

enum class TransportSide : uint8_t { kDownstream, kUpstream };

// A `transport_socket` field; `context` stands at it.
std::shared_ptr<const net::TransportFactory> compileTransport(const envoy::config::core::v3::TransportSocket& socket,
                                                              TransportSide side, const Context& context,
                                                              Services& services);

// A network filter in front of the terminal one.
class ConnectionFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::ConnectionFilter> compile(const google::protobuf::Message& message,
                                                                  const Context& context, Services& services) const = 0;
};

// What looks at a connection before its filter chain is chosen.
class ListenerFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                                const Context& context, Services& services) const = 0;
};

// What serves the datagrams of a UDP listener.
class UdpFilterConfigFactory : public ExtensionFactory {
 public:
  virtual std::shared_ptr<const filter::UdpFilter> compile(const google::protobuf::Message& message,
                                                           const Context& context, Services& services) const = 0;
};

class AccessLogConfigFactory : public ExtensionFactory {
 public:
  // Null without an error when only validating.
  virtual std::shared_ptr<const stream::AccessLog> compile(const google::protobuf::Message& message,
                                                           const Context& context, Services& services) const = 0;
};

// An `access_log` list; `context` stands at the message that has it.
std::vector<std::shared_ptr<const stream::AccessLog>> compileAccessLogs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& logs, const Context& context,
    Services& services);

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
};

}  // namespace sluice::config
