#include "source/server/xds_transports.h"

#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/xds/grpc_transport.h"

namespace sluice::server {

XdsTransports::XdsTransports(event::Loop& loop, const ClusterManager& clusters, observability::StatsCells& cells,
                             uint64_t seed)
    : loop_(loop), clusters_(clusters), random_(seed) {
  buffers_.cells = &cells;
}

std::unique_ptr<xds::Transport> XdsTransports::make(const xds::GrpcSource& source) {
  xds::GrpcTransportOptions options;
  // In turn over the cluster's hosts, whatever they are by then, and in each round at another address of theirs.
  const auto metadata = std::make_shared<stream::FixedMetadata>();  // of the host that was given last
  options.next_endpoint = [this, metadata, cluster = source.cluster, start = random_.next(),
                           turn = size_t{0}]() mutable -> absl::StatusOr<net::Address> {
    const upstream::cluster::HostSet* hosts = clusters_.hostsOf(cluster);
    if (hosts == nullptr || hosts->entries().empty()) {
      return absl::UnavailableError(absl::StrCat("cluster '", cluster, "' has no endpoints"));
    }
    const size_t count = hosts->entries().size();
    const size_t round = turn / count;
    const upstream::cluster::Host& host = *hosts->entries()[(start % count + turn++) % count].host;
    *metadata = host.metadata();
    const std::span<const net::Address> several = hosts->addressesOf(host.slot());
    return several.empty() ? host.address() : several[round % several.size()];
  };
  options.authority = source.authority;
  options.initial_metadata = source.initial_metadata;
  if (const ClusterManager::Entry* entry = clusters_.find(source.cluster); entry != nullptr && entry->active) {
    const upstream::cluster::ClusterConfig& cluster = *entry->active->config;
    options.connect_timeout = cluster.connect_timeout;
    options.connect = cluster.connect;
    if (cluster.transport != nullptr || cluster.transport_matches.anyTransport()) {
      options.buffers = &buffers_;
      // A stream has one request, whose host is the authority.
      options.security = [metadata, config = entry->active->config, name = source.cluster,
                          sni = cluster.http.auto_sni ? source.authority : std::string(),
                          san = cluster.http.auto_san_validation
                                    ? source.authority
                                    : std::string()]() -> absl::StatusOr<net::TransportPtr> {
        const net::TransportFactory* const transport = config->transportOf(*metadata);
        if (transport == nullptr) return net::TransportPtr();
        if (const std::string missing = transport->notReady(); !missing.empty()) {
          return absl::UnavailableError(absl::StrCat("cluster '", name, "': ", missing));
        }
        static const std::vector<std::string> kProtocols = {"h2"};
        return transport->make({.server_name = sni, .verify_san = san, .alpn = &kProtocols, .session_key = name});
      };
    }
  }
  return xds::makeGrpcTransport(std::move(options), loop_);
}

}  // namespace sluice::server
