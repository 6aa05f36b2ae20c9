// Clusters of the process: their generations, their hosts, and what of them the workers see.
//
// A new cluster is invisible until it is warm (its hosts are known, or the time to learn them is over); a changed one
// serves as before until its new generation is warm. Endpoint updates keep the generation, its pools and its balancers.
// Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/route/cluster_names.h"
#include "source/server/worker.h"
#include "source/upstream/cluster/dns_cluster.h"

namespace sluice::server {

class ClusterManager {
 public:
  using Proto = envoy::config::cluster::v3::Cluster;
  using ConfigPtr = std::shared_ptr<const upstream::cluster::ClusterConfig>;

  struct Generation {
    ConfigPtr config;
    Proto proto;
    std::string version;  // of the xDS response; empty for static clusters
    std::chrono::system_clock::time_point updated;
    upstream::cluster::HostSetPtr hosts = upstream::cluster::HostSet::empty();
    std::unique_ptr<upstream::cluster::DnsCluster> dns;
    std::unique_ptr<event::Timer> deadline;  // of warming by EDS
    bool warm = false;
  };
  struct Entry {
    uint32_t id = 0;
    bool is_static = false;
    observability::Scope scope;
    upstream::pool::ClusterStats stats;
    std::shared_ptr<observability::LateCounters> late_counters = std::make_shared<observability::LateCounters>();
    std::shared_ptr<upstream::cluster::Breakers> breakers;
    std::unique_ptr<Generation> active;   // null: not warm for the first time
    std::unique_ptr<Generation> warming;  // null: nothing is pending
  };

  ClusterManager(event::Loop& main, Workers& workers, observability::StatsRegistry& stats,
                 observability::StatsCells& cells, route::ClusterNames& names, net::DnsResolver& resolver,
                 observability::Logger& logger, uint64_t seed);

  // Adds a cluster or replaces its configuration; an unchanged one is left alone. False for a dynamic cluster that has
  // the name of a static one (which no update may change).
  bool set(ConfigPtr config, Proto proto, bool is_static, const std::string& version);
  void remove(const std::string& name);

  // --- endpoints ---
  using Assignment = upstream::cluster::Assignment;
  void setAssignment(const std::string& service_name, Assignment assignment);
  // Interest in an EDS name began or ended.
  std::function<void(const std::string& service_name, const envoy::config::core::v3::ConfigSource& source)>
      on_eds_wanted;
  std::function<void(const std::string& service_name)> on_eds_unwanted;

  // --- state ---
  const std::map<std::string, std::unique_ptr<Entry>>& entries() const { return entries_; }
  const Entry* find(const std::string& name) const;
  // True if no cluster waits for its first hosts.
  bool allWarm() const;
  // Something that clusters wait for besides their hosts has come.
  void activateWarm();
  // Called when a cluster stopped warming.
  std::function<void()> on_warm;
  // Called when hosts or names of clusters changed, for those who connect to clusters from main.
  const upstream::cluster::HostSet* hostsOf(const std::string& name) const;

 private:
  Entry& entryOf(const ConfigPtr& config);
  void startWarming(Entry& entry);
  void onHosts(const std::string& name, Generation* generation, upstream::cluster::HostSetPtr hosts);
  void activate(Entry& entry);
  void publish(Entry& entry);
  void uncount(const Entry& entry);
  void count(const Entry& entry);
  std::string edsNameOf(const Generation* generation) const;
  void updateEdsInterest();

  event::Loop& main_;
  Workers& workers_;
  observability::StatsRegistry& registry_;
  observability::StatsCells& cells_;
  route::ClusterNames& names_;
  net::DnsResolver& resolver_;
  observability::Logger& logger_;
  uint64_t seed_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  std::map<std::string, Assignment> assignments_;  // last accepted, by EDS name, while somebody wants it
  std::map<std::string, int> eds_interest_;
  observability::Gauge active_clusters_, warming_clusters_;
  observability::Counter cluster_added_, cluster_modified_, cluster_removed_;
};

}  // namespace sluice::server
