#include "source/router/host_choice.h"

namespace sluice::router {

upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const http::RequestHeaders& request,
                                     const stream::StreamInfo* info) {
  if (!cluster.hostDependsOnAsker()) return cluster.pick();
  if (info == nullptr) return cluster.pickFor({.request = &request});
  return cluster.pickFor({.destination = net::Address::parse(info->downstream_local_address).value_or(net::Address()),
                          .redirected = info->redirected,
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
