// The streams by which the hosts of a cluster are asked for reports of their load, made once for the process: one a
// host, through all updates that keep it. What they say is told to the monitors of the hosts. Thread: main.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "source/upstream/cluster/host_set.h"
#include "source/upstream/health/load_stream.h"

namespace sluice::upstream::health {

class LoadStreams {
 public:
  using ConfigPtr = std::shared_ptr<const cluster::ClusterConfig>;

  // Whether a cluster's policy wants them.
  static bool wantedBy(const cluster::ClusterConfig& config);

  // `config` wants them. `scope`: "cluster.NAME.".
  LoadStreams(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells, ConfigPtr config,
              observability::Scope scope, uint64_t seed);
  LoadStreams(const LoadStreams&) = delete;
  LoadStreams& operator=(const LoadStreams&) = delete;

  // Those of now, and of a configuration that is to come (null: none).
  void setHosts(const cluster::HostSet& hosts, const cluster::HostSet* coming = nullptr);
  const ConfigPtr& config() const { return world_.config; }
  size_t size() const { return streams_.size(); }

 private:
  observability::Scope scope_;
  LoadStreamWorld world_;
  std::unordered_map<const cluster::HostMonitor*, std::unique_ptr<LoadStream>> streams_;
};

}  // namespace sluice::upstream::health
