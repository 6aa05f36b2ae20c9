#include "source/extensions/clusters/redis/factory.h"

#include <string>
#include <utility>

#include "envoy/extensions/clusters/redis/v3/redis_cluster.pb.h"
#include "source/config/assignment_compiler.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/connect_options.h"
#include "source/config/dns_resolver.h"
#include "source/config/redis_options.h"
#include "source/config/transport_socket_factory.h"
#include "source/config/values.h"
#include "source/extensions/clusters/redis/source.h"

namespace sluice::extensions::clusters::redis {
namespace {

using config::compileMilliseconds;
using config::Context;
using envoy::config::cluster::v3::Cluster;
using envoy::extensions::clusters::redis::v3::RedisClusterConfig;

void compileRates(const RedisClusterConfig& proto, Settings& out) {
  if (proto.has_cluster_refresh_rate()) out.refresh_rate = compileMilliseconds(proto.cluster_refresh_rate());
  if (proto.has_cluster_refresh_timeout()) out.timeout = compileMilliseconds(proto.cluster_refresh_timeout());
  if (proto.has_redirect_refresh_interval()) {
    out.least_interval = compileMilliseconds(proto.redirect_refresh_interval());
  }
  if (proto.has_redirect_refresh_threshold()) out.redirections = proto.redirect_refresh_threshold().value();
  out.failures = proto.failure_refresh_threshold();
}

void compileSeeds(const Cluster& cluster, const Context& at, Settings& out) {
  const auto assignment = config::compileOwnAssignment(cluster, config::EndpointNames::kResolved, at);
  for (const auto& locality : assignment.localities) {
    for (const auto& endpoint : locality.endpoints) {
      if (endpoint.dns_name.empty()) {
        out.seeds.push_back(endpoint.address);
      } else {
        out.names.emplace_back(endpoint.dns_name, endpoint.dns_port);
      }
    }
  }
  if (out.seeds.empty() && out.names.empty()) {
    at.child("load_assignment").error("names nobody who could be asked; add nodes of the Redis Cluster as endpoints");
  }
  out.lookup_family = config::compileLookupFamily(cluster, at);
}

class Factory : public config::ClusterKindFactory {
 public:
  std::string_view configType() const override { return RedisClusterConfig::descriptor()->full_name(); }

  ClusterKindPtr compile(const google::protobuf::Message& message, const Cluster& cluster,
                         config::FactoryContext factory, const Context& cluster_at) const override {
    Settings out;
    compileRates(static_cast<const RedisClusterConfig&>(message), out);
    compileSeeds(cluster, cluster_at, out);
    compileWays(cluster, factory, cluster_at, out);
    return std::make_shared<Kind>(std::move(out));
  }

 private:
  // Nodes are asked as commands are sent: what is wrong of that is told by the cluster's own compiler.
  static void compileWays(const Cluster& cluster, const config::FactoryContext& factory, const Context& cluster_at,
                          Settings& out) {
    config::ErrorList told_elsewhere;
    const Context at(told_elsewhere, cluster_at.positions(), cluster_at.path());
    out.connect = config::compileConnectOptions(cluster, at, factory.services);
    if (cluster.has_transport_socket()) {
      out.transport = config::compileTransport(cluster.transport_socket(), config::TransportSide::kUpstream,
                                               factory.moved(at.child("transport_socket")));
    }
    const auto& options = cluster.typed_extension_protocol_options();
    const auto found = options.find(std::string(config::kRedisOptionsKey));
    if (found != options.end()) out.auth = config::compileRedisOptions(found->second, at);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.cluster_kinds.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::clusters::redis
