// Connections for requests to come, to the hosts that they will probably get.

#include <utility>

#include "source/upstream/worker_cluster.h"

namespace sluice::upstream {

void WorkerCluster::notePrediction(cluster::RoutingPriority priority) {
  constexpr uint32_t kForEach = 3;  // as Envoy
  ahead_ += kForEach;
  ahead_priority_ = priority;
  context_.loop.atTurnEnd(*this);
}

// Behind the requests of the turn, which take their own connections first.
void WorkerCluster::connectAhead() {
  const double ratio = config().predictive_ratio;
  for (uint32_t left = std::exchange(ahead_, 0); left > 0; --left) {
    if (connections_ >= static_cast<double>(balancer_.hosts().totalActive()) * ratio) return;
    const cluster::HostSlot slot = balancer_.lookAhead();
    if (slot == cluster::kNoHost || !poolOf(slot, ahead_priority_).connectAhead(ratio)) return;
  }
}

}  // namespace sluice::upstream
