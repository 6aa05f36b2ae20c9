#include "source/config/preconnect_policy.h"

#include <algorithm>

namespace sluice::config {
namespace {

using upstream::cluster::ClusterConfig;
using upstream::cluster::UpstreamProtocol;

bool isForOneStream(const std::shared_ptr<const net::TransportFactory>& transport) {
  return transport && (transport->tellsClient() || transport->handsOver());
}

// Nobody knows ahead which connection a request wants.
bool connectsByRequest(const ClusterConfig& config) {
  const auto& matches = config.transport_matches.list;
  return config.http.protocol == UpstreamProtocol::kDownstream || config.http.auto_sni ||
         config.http.auto_san_validation || isForOneStream(config.transport) ||
         std::any_of(matches.begin(), matches.end(), [](const auto& match) { return isForOneStream(match.transport); });
}

}  // namespace

void compilePreconnectPolicy(const envoy::config::cluster::v3::Cluster& cluster, const Context& context,
                             ClusterConfig& out) {
  const auto& proto = cluster.preconnect_policy();
  if (proto.has_per_upstream_preconnect_ratio()) out.preconnect_ratio = proto.per_upstream_preconnect_ratio().value();
  if (!proto.has_predictive_preconnect_ratio() || proto.predictive_preconnect_ratio().value() == 1) return;
  const Context at = context.child("preconnect_policy").child("predictive_preconnect_ratio");
  if (out.lb.policy && !out.lb.policy->choosesAhead()) {
    return at.warn("not used: the load-balancing policy makes no choices ahead; ROUND_ROBIN and RANDOM do");
  }
  if (connectsByRequest(out)) {
    return at.warn("not used: connections of this cluster depend on requests; use per_upstream_preconnect_ratio");
  }
  out.predictive_ratio = proto.predictive_preconnect_ratio().value();
}

}  // namespace sluice::config
