// Clusters of the process: their generations, their hosts, and what of them the workers see.
//
// A new cluster is invisible until it is warm (its hosts are known, or the time to learn them is over); a changed one
// serves as before until its new generation is warm. Endpoint updates keep the generation, its pools and its balancers.
// A cluster that is removed while something that serves names it (a route table, a filter) serves on, with the hosts
// that it has, until nothing does: routes may follow their clusters late.
//
// Where the endpoints come from is the business of the cluster's kind (upstream/cluster/host_source.h). Its sources
// give assignments; here they become sets of hosts, with what the monitors of the hosts object. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/endpoint/v3/endpoint.pb.h"
#include "source/event/loop.h"
#include "source/net/dns.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/route/cluster_names.h"
#include "source/server/cluster_health.h"
#include "source/server/discovery_stats.h"
#include "source/server/init_manager.h"
#include "source/server/merge_window.h"
#include "source/server/resource_key.h"
#include "source/server/worker.h"
#include "source/upstream/cluster/host_monitors.h"
#include "source/upstream/cluster/host_source.h"

namespace sluice::server {

class ClusterManager : private upstream::cluster::Endpoints {
 public:
  using Proto = envoy::config::cluster::v3::Cluster;
  using ConfigPtr = std::shared_ptr<const upstream::cluster::ClusterConfig>;

  struct Generation : private upstream::cluster::HostSource::Receiver {
    explicit Generation(ClusterManager& manager) : manager(manager) {}

    ClusterManager& manager;
    ConfigPtr config;
    Proto proto;
    std::string version;  // of the xDS response; empty for static clusters
    std::chrono::system_clock::time_point updated;
    event::TimePoint since;                      // from when one waits to serve, or to replace what does
    upstream::cluster::AssignmentPtr endpoints;  // null: not known yet; never of one that is active
    upstream::cluster::HostSetPtr hosts;         // of them
    bool answered = false;                       // endpoints came, or word that none will for now
    config::InitTarget hosts_wait, names_wait;   // until then: its own, and that of xDS for names of DNS
    config::InitTarget checks_wait;              // of a new cluster: until its hosts were checked once
    std::unique_ptr<upstream::cluster::HostSource> source;
    std::unique_ptr<InitManager> init;  // last: goes before whatever holds its targets

   private:
    friend class ClusterManager;
    void onEndpoints(upstream::cluster::AssignmentPtr given) override { manager.onEndpoints(*this, std::move(given)); }
    void onNoEndpoints(std::string_view why) override { manager.onNoEndpoints(*this, why); }
  };
  struct Entry {
    uint32_t id = 0;
    bool is_static = false;
    uint64_t leaving = 0;  // it is removed and named still: the how manieth that was; 0: it is not
    upstream::cluster::ClusterStats stats;
    std::shared_ptr<observability::LateCounters> late_counters = std::make_shared<observability::LateCounters>();
    std::unique_ptr<DiscoveryStats> discovery;  // of endpoints; null: they were never asked for
    std::shared_ptr<upstream::cluster::Breakers> breakers;
    std::unique_ptr<upstream::cluster::HostMonitors> monitors;
    std::unique_ptr<ClusterHealth> health;
    std::unique_ptr<MergeWindow> merge;   // between what workers are told of its hosts
    std::unique_ptr<Generation> active;   // null: not warm for the first time
    std::unique_ptr<Generation> warming;  // null: nothing is pending
    config::InitTarget first;             // of the start of the process, until one generation serves
  };

  // So many that are removed and named still are kept; beyond that the first of them goes.
  static constexpr size_t kMaxLeaving = 10'000;

  ClusterManager(event::Loop& main, Workers& workers, observability::StatsRegistry& stats,
                 observability::StatsCells& cells, route::ClusterNames& names, net::DnsResolver& resolver,
                 observability::Logger& logger, uint64_t seed, size_t max_leaving = kMaxLeaving);
  ~ClusterManager() override;

  // To compile a cluster of that name with.
  std::unique_ptr<InitManager> newInit(const std::string& name);
  // Adds a cluster or replaces its configuration; an unchanged one is left alone. False for a dynamic cluster that has
  // the name of a static one (which no update may change). `init`: has the targets that were added while it was
  // compiled; null: there are none.
  bool set(ConfigPtr config, Proto proto, bool is_static, const std::string& version,
           std::unique_ptr<InitManager> init = nullptr);
  void remove(const std::string& name);

  // --- endpoints ---
  using Assignment = upstream::cluster::Assignment;
  void setAssignment(const ResourceKey& key, Assignment assignment, const std::string& version = {});
  // It came again unchanged, which is news where an assignment holds for a time only.
  void repeatAssignment(const ResourceKey& key);
  // None will come for now: clusters that wait for it go on with the hosts that they have.
  void giveUpAssignment(const ResourceKey& key);
  // What is told of the endpoints of that source and name; without a name: of all of that source.
  void forEachDiscovery(std::string_view source, std::string_view name,
                        const std::function<void(DiscoveryStats&)>& visit);
  // Interest in an EDS name began or ended.
  std::string self_source;  // identity of the source of clusters, which `self` means
  std::function<void(const ResourceKey& key, const envoy::config::core::v3::ConfigSource& source)> on_eds_wanted;
  std::function<void(const ResourceKey& key)> on_eds_unwanted;

  // --- state ---
  const std::map<std::string, std::unique_ptr<Entry>>& entries() const { return entries_; }
  const Entry* find(const std::string& name) const;
  // Whether routes may be led to it: it is there and not leaving.
  bool exists(const std::string& name) const;
  // Whether compiled configuration names it.
  bool named(const std::string& name) const;
  // Called when the workers have been given a cluster, or another configuration of it; empty: nobody wants to know.
  std::function<void(const std::string& name)> on_serves;
  // How long a secret or endpoints that there are not are waited for, from when a generation with them came: what is
  // led to the cluster goes elsewhere or to the generation before. 0, and while the process starts: not at all.
  std::chrono::milliseconds patience{0};
  // Called when hosts have left a cluster that serves, or it goes itself: `before` were its hosts, `after` are (null:
  // it goes). Empty: nobody wants to know.
  std::function<void(const Entry& entry, const upstream::cluster::HostSet& before,
                     const upstream::cluster::HostSet* after)>
      on_hosts_left;
  // Waits until each cluster serves that comes before it is done; null: nothing does.
  InitManager* boot = nullptr;
  // Waits for what xDS streams may be connected by: hosts that DNS names; null: nothing does.
  InitManager* before_xds = nullptr;
  // For lines about the health of hosts; null: they are written nowhere. Before the first cluster.
  void logHealthTo(observability::LogSink* sink) { health_world_.sink = sink; }
  // How far checks of hosts may use up the descriptors of the process. Before the first cluster.
  void limitCheckDescriptors(net::Descriptors limit) { health_world_.descriptors = std::move(limit); }
  // The cluster that this process belongs to, and where it is: others are routed by zones then. Before the first
  // cluster.
  void routeByZones(std::string local_cluster, upstream::cluster::Locality own);
  // Where this process is, for what is counted by zones; empty: nothing is. Before the first cluster.
  void countZones(std::string own) { own_zone_ = std::move(own); }
  // Called when hosts or names of clusters changed, for those who connect to clusters from main.
  const upstream::cluster::HostSet* hostsOf(const std::string& name) const;
  // Where to tell of the health of hosts of a cluster. Null: there is no such cluster. It lives as long as the cluster,
  // and goes with it.
  upstream::cluster::HostMonitors* monitorsOf(const std::string& name);

 private:
  Entry& entryOf(const ConfigPtr& config);
  event::TimePoint waitingSince(const std::string& name) const;
  static std::chrono::milliseconds patienceWithHosts(const Entry& entry, const Generation& generation);
  void startWarming(Entry& entry);
  // The entry that a generation is of; null: it is neither serving nor going to.
  Entry* ownerOf(const Generation& generation);
  void onEndpoints(Generation& generation, upstream::cluster::AssignmentPtr endpoints);
  void onNoEndpoints(Generation& generation, std::string_view why);
  void buildHosts(const Entry& entry, Generation& generation);
  void watchHosts(Entry& entry, Generation& generation);
  void rebuild(Entry& entry);
  void activate(Entry& entry);
  // The hosts of what serves may be others than `before`.
  void publishHosts(Entry& entry, const upstream::cluster::HostSet& before);
  void publish(Entry& entry);
  void countHosts(const Entry& entry);
  void followLocalZones(const Entry& entry);
  void uncount(const Entry& entry);
  void count(const Entry& entry);
  class EdsWatch;
  // What sources want by name. Cost follows those that share one.
  struct Eds {
    std::map<uint64_t, EdsWatch*> watches;          // by their numbers: the newest is the last
    upstream::cluster::AssignmentPtr assignment;    // last accepted; null: none came
    std::string version;                            // its
    bool given_up = false;                          // there is none, and nothing says that one will come
    std::unique_ptr<event::Timer> stale;            // the assignment holds until then; null: for ever
    upstream::cluster::AssignmentPtr before_stale;  // what was accepted, once that was over
  };
  std::unique_ptr<Watch> watch(std::string_view cluster, const std::string& source, const std::string& name,
                               Watcher& watcher) override;
  void unwatch(const EdsWatch& watch);
  void endsAfter(const ResourceKey& key, std::chrono::milliseconds time);
  void onStale(const ResourceKey& key);
  void forEachWatcher(const ResourceKey& key, const std::function<void(Watcher&)>& tell);
  void drop(const std::string& name);
  void leave(const std::string& name, const Entry& entry);
  void stay(Entry& entry);
  void onUnused(uint32_t id);

  event::Loop& main_;
  Workers& workers_;
  observability::StatsRegistry& registry_;
  observability::StatsCells& cells_;
  route::ClusterNames& names_;
  net::DnsResolver& resolver_;
  observability::Logger& logger_;
  uint64_t seed_;
  HealthWorld health_world_;
  struct LocalCluster {
    std::string name;
    upstream::cluster::Locality own;
    upstream::cluster::LocalZonesPtr zones;  // null: its hosts are not known yet
  };
  std::optional<LocalCluster> local_;
  std::string own_zone_;
  std::map<std::string, std::unique_ptr<Entry>> entries_;
  const size_t max_leaving_;
  std::map<ResourceKey, Eds> eds_;
  uint64_t next_watch_ = 1;
  std::map<uint64_t, std::string> leaving_;  // by Entry::leaving
  uint64_t next_leaving_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  observability::Gauge active_clusters_, warming_clusters_;
  observability::Counter cluster_added_, cluster_modified_, cluster_removed_;
};

}  // namespace sluice::server
