#include "source/router/upstream_filters.h"

#include <algorithm>
#include <utility>

namespace sluice::router {

void UpstreamFilters::set(std::unique_ptr<UpstreamFilters>& place, upstream::Attempt& attempt, const Config& config,
                          const RequestOrigin& origin) {
  if (!place) place.reset(new UpstreamFilters(origin));
  place->config_ = config;
  place->cluster_ = attempt.cluster();
  place->attempt_ = &attempt;
  attempt.setStage(place.get());
}

// The chain before may be further down this stack.
upstream::pool::Exchange& UpstreamFilters::begin(upstream::pool::ExchangeEvents& events) {
  if (chain_) origin_.worker.loop.deleteLater(std::move(chain_));
  const upstream::cluster::ClusterConfig& cluster = cluster_->config();
  const size_t window = std::clamp<size_t>(cluster.per_connection_buffer_limit, 1, filter::ChainRunner::kWindow);
  chain_ = std::make_unique<UpstreamChain>(config_, origin_, cluster, attempt_->host().addressText(), window, events);
  return chain_->exchange();
}

}  // namespace sluice::router
