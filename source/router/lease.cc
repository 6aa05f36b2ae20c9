#include "source/router/lease.h"

#include <utility>

namespace sluice::router {

using upstream::cluster::RoutingPriority;

std::string_view Lease::take(const http::RequestHeaders& headers) {
  if (!cluster_) return "no_cluster";
  const upstream::pool::PoolContext& context = cluster_->context();
  const upstream::cluster::HostSlot slot =
      cluster_->hostDependsOnAsker() ? cluster_->pickFor({.request = &headers}) : cluster_->pick();
  if (slot == upstream::cluster::kNoHost) {
    cells_.add(context.stats.cx_none_healthy);
    return "no_healthy_upstream";
  }
  cluster_->requestStarted(slot);
  pool_ = &cluster_->poolFor(slot, RoutingPriority::kDefault, headers);
  host_ = &pool_->host();
  return {};
}

void Lease::release() {
  pool_ = nullptr;
  const upstream::cluster::Host* host = std::exchange(host_, nullptr);
  if (host != nullptr) cluster_->requestFinished(*host);
}

}  // namespace sluice::router
