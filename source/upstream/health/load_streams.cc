#include "source/upstream/health/load_streams.h"

#include <utility>

namespace sluice::upstream::health {
namespace {

LoadStreamStats statsIn(observability::Scope& scope) {
  return {scope.counter("lb_orca_oob.reports_received"), scope.counter("lb_orca_oob.report_errors"),
          scope.counter("lb_orca_oob.stream_failures"), scope.counter("lb_orca_oob.stream_terminated"),
          scope.gauge("lb_orca_oob.active_sessions")};
}

}  // namespace

bool LoadStreams::wantedBy(const cluster::ClusterConfig& config) {
  const lb::LoadWeights* weights = config.lb.policy ? config.lb.policy->loadWeights() : nullptr;
  return weights != nullptr && weights->byStream();
}

LoadStreams::LoadStreams(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells,
                         ConfigPtr config, observability::Scope scope, uint64_t seed)
    : scope_(std::move(scope)),
      world_{loop, buffers, cells, statsIn(scope_), config, *config->lb.policy->loadWeights(), base::Random(seed)} {}

void LoadStreams::setHosts(const cluster::HostSet& hosts, const cluster::HostSet* coming) {
  std::unordered_map<const cluster::HostMonitor*, std::unique_ptr<LoadStream>> next;
  const auto take = [&](const cluster::HostSet::Entry& entry) {
    const cluster::HostMonitor* const monitor = &entry.host->monitor();
    if (next.contains(monitor)) return;
    const auto known = streams_.find(monitor);
    next.emplace(monitor,
                 known != streams_.end() ? std::move(known->second) : std::make_unique<LoadStream>(world_, entry.host));
  };
  for (const cluster::HostSet::Entry& entry : hosts.entries()) take(entry);
  if (coming != nullptr) {
    for (const cluster::HostSet::Entry& entry : coming->entries()) take(entry);
  }
  streams_ = std::move(next);
}

}  // namespace sluice::upstream::health
