#include "source/server/xds_transports.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "source/xds/failover_transport.h"
#include "source/xds/grpc_transport.h"

namespace sluice::server {
namespace {

// The host that was given last.
struct Aim {
  net::TransportFactory::Options options() const { return {.host = &host, .host_metadata = &metadata}; }

  net::Address host;
  stream::FixedMetadata metadata;
};

}  // namespace

XdsTransports::XdsTransports(event::Loop& loop, const ClusterManager& clusters, observability::StatsCells& cells,
                             uint64_t seed)
    : loop_(loop), clusters_(clusters), random_(seed) {
  buffers_.cells = &cells;
}

std::unique_ptr<xds::Transport> XdsTransports::make(const xds::GrpcSource& source) {
  if (source.fallback.empty()) return makeTo(source);
  return std::make_unique<xds::FailoverTransport>([this, source] { return makeTo(source); },
                                                  [this, other = source.fallback.front()] { return makeTo(other); },
                                                  loop_, [this] { return random_.next(); });
}

std::unique_ptr<xds::Transport> XdsTransports::makeTo(const xds::GrpcSource& source) {
  xds::GrpcTransportOptions options;
  const ClusterManager::Entry* const entry = clusters_.find(source.cluster);
  std::shared_ptr<const upstream::cluster::ClusterConfig> config;
  if (entry != nullptr && entry->active) config = entry->active->config;
  // In turn over the cluster's hosts, whatever they are by then, and in each round at another address of theirs.
  const auto aim = std::make_shared<Aim>();
  options.next_endpoint = [this, aim, config, cluster = source.cluster, start = random_.next(),
                           turn = size_t{0}]() mutable -> absl::StatusOr<net::Address> {
    const upstream::cluster::HostSet* hosts = clusters_.hostsOf(cluster);
    if (hosts == nullptr || hosts->entries().empty()) {
      return absl::UnavailableError(absl::StrCat("cluster '", cluster, "' has no endpoints"));
    }
    const size_t count = hosts->entries().size();
    const size_t round = turn / count;
    const upstream::cluster::Host& host = *hosts->entries()[(start % count + turn++) % count].host;
    const std::span<const net::Address> several = hosts->addressesOf(host.slot());
    *aim = {several.empty() ? host.address() : several[round % several.size()], host.metadata()};
    const net::TransportFactory* const transport = config ? config->transportOf(aim->metadata) : nullptr;
    const std::optional<net::Address> proxy = transport != nullptr ? transport->proxyOf(aim->options()) : std::nullopt;
    return proxy ? *proxy : aim->host;
  };
  options.authority = source.authority;
  options.initial_metadata = source.initial_metadata;
  if (config) {
    const upstream::cluster::ClusterConfig& cluster = *config;
    options.connect_timeout = cluster.connect_timeout;
    options.connect = cluster.connect;
    if (cluster.transport != nullptr || cluster.transport_matches.anyTransport()) {
      options.buffers = &buffers_;
      // A stream has one request, whose host is the authority.
      options.security =
          [aim, config, name = source.cluster, sni = cluster.http.auto_sni ? source.authority : std::string(),
           san = cluster.http.auto_san_validation ? source.authority
                                                  : std::string()]() -> absl::StatusOr<net::TransportPtr> {
        const net::TransportFactory* const transport = config->transportOf(aim->metadata);
        if (transport == nullptr) return net::TransportPtr();
        if (const std::string missing = transport->notReady(); !missing.empty()) {
          return absl::UnavailableError(absl::StrCat("cluster '", name, "': ", missing));
        }
        static const std::vector<std::string> kProtocols = {"h2"};
        net::TransportFactory::Options options = aim->options();
        options.server_name = sni;
        options.verify_san = san;
        options.alpn = &kProtocols;
        options.session_key = name;
        return transport->make(options);
      };
    }
  }
  return xds::makeGrpcTransport(std::move(options), loop_);
}

}  // namespace sluice::server
