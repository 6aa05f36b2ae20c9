#include "source/router/host_choice.h"

namespace sluice::router {

base::LocalPtr<upstream::WorkerCluster> findCluster(upstream::ClusterSet& clusters, const filter::Stream& stream) {
  const filter::UpstreamChoice* choice = stream.upstreamChoice();
  if (choice != nullptr && !choice->cluster.empty()) return clusters.find(choice->cluster);
  return clusters.find(stream.route().cluster());
}

namespace {

// The host that a filter chose, if the cluster has it and it may serve.
upstream::cluster::HostSlot findHost(const upstream::WorkerCluster& cluster, std::string_view address) {
  for (const auto& entry : cluster.balancer().hosts().entries()) {
    if (entry.host->addressText() != address) continue;
    const auto health = entry.health;
    if (health == upstream::cluster::Health::kHealthy || health == upstream::cluster::Health::kDegraded) {
      return entry.host->slot();
    }
  }
  return upstream::cluster::kNoHost;
}

}  // namespace

upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const http::RequestHeaders& request,
                                     const filter::Stream* stream) {
  if (!cluster.hostDependsOnAsker()) {
    const filter::UpstreamChoice* choice = stream == nullptr ? nullptr : stream->upstreamChoice();
    if (choice == nullptr || choice->host.empty()) return cluster.pick();
    const upstream::cluster::HostSlot chosen = findHost(cluster, choice->host);
    return chosen != upstream::cluster::kNoHost || choice->only_host ? chosen : cluster.pick();
  }
  if (stream == nullptr) return cluster.pickFor({.request = &request});
  const stream::StreamInfo& info = stream->info();
  return cluster.pickFor({.destination = net::Address::parse(info.downstream_local_address).value_or(net::Address()),
                          .redirected = info.redirected,
                          .request = &request});
}

void describeHost(filter::Stream& stream, const upstream::cluster::ClusterConfig& cluster,
                  const upstream::cluster::Host& host) {
  stream::StreamInfo& info = stream.info();
  info.upstream_host = stream.arena().copy(host.addressText());
  info.upstream_host_name = host.hostname().empty() ? info.upstream_host : stream.arena().copy(host.hostname());
  info.setUpstreamMetadata(cluster.metadata, host.metadata());
}

}  // namespace sluice::router
