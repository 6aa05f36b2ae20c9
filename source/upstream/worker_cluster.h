// One worker's view of the clusters: balancers and pools over the shared, immutable configuration.
//
// Main sends ClusterUpdates; the worker applies them between events. Streams pin the WorkerCluster that they use, so a
// cluster that is removed or replaced lives until its last stream has ended.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "source/base/intrusive_list.h"
#include "source/base/local_ptr.h"
#include "source/base/random.h"
#include "source/observability/late_counters.h"
#include "source/upstream/attempt_observer.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/fail_observer.h"
#include "source/upstream/host_bound.h"
#include "source/upstream/lb/balancer.h"
#include "source/upstream/load_observer.h"
#include "source/upstream/origin_counts.h"
#include "source/upstream/outcome_observer.h"
#include "source/upstream/pool/pool.h"
#include "source/upstream/zone_counts.h"

namespace sluice::upstream {

using ClusterId = uint32_t;  // route::ClusterId

// A cluster as main publishes it. Immutable.
struct PublishedCluster {
  ClusterId id = 0;
  std::shared_ptr<const cluster::ClusterConfig> config;
  std::shared_ptr<cluster::Breakers> breakers;
  cluster::ClusterStats stats;
  lb::PreparedHosts hosts;                                               // by config->lb.policy
  std::shared_ptr<observability::LateCounters> late_counters = nullptr;  // null: nobody counts
  std::shared_ptr<OutlierReports> outlier_reports = nullptr;             // null: nobody is told
  std::shared_ptr<FailReports> fail_reports = nullptr;                   // null: nobody is told
  std::string own_zone = {};  // of this process (proto: Node.locality); empty: not known
};

class ClusterSet;

// On whose behalf a request is sent, for connections that are not for everybody's.
struct ClientAddresses {
  std::string_view remote, local;        // where it comes from and wanted to go, as text; empty: nobody's
  const net::ProxyTlvs* tlvs = nullptr;  // of its PROXY header; null: none
  const net::BorrowedSource* source = nullptr;
  const stream::FilterState* state = nullptr;  // of which it may share something
};

class WorkerCluster : public base::LocalCounted, private pool::Room, private event::TurnTask {
 public:
  // `set` owns it, and knows the other workers.
  WorkerCluster(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells,
                const PublishedCluster& published, uint64_t seed, ClusterSet& set);
  ~WorkerCluster() override;

  ClusterId id() const { return id_; }
  const cluster::ClusterConfig& config() const { return *context_.config; }
  const pool::PoolContext& context() const { return context_; }
  // As main published them; empty for a cluster whose hosts are made where they are wanted.
  const cluster::HostSet& hosts() const { return balancer_.hosts().set(); }

  // The host of the next request, or kNoHost.
  cluster::HostSlot pick(const lb::LbContext& context) { return balancer_.pick(context); }
  const cluster::HostPtr& hostPtr(cluster::HostSlot slot) const { return balancer_.hosts().hostPtr(slot); }
  // What this worker counts of a host of the cluster.
  cluster::HostStats::Row& hostStats(const cluster::Host& host) const { return host.stats().rowOf(&context_.cells); }
  // Whether the next request is not to be sent to any host, and so is counted (proto: Policy.drop_overloads).
  enum class Drop : uint8_t {
    kNone,
    kByChance,
    kAll,  // as all others are
  };
  Drop drops() { return hosts().dropPerMillion() == 0 ? Drop::kNone : drawDrop(); }

  // Around each request on a host. A host that has left the cluster meanwhile may be finished too.
  void requestStarted(cluster::HostSlot slot) { balancer_.hosts().requestStarted(slot); }
  void requestFinished(const cluster::Host& host) { balancer_.hosts().requestFinished(host); }
  // This worker's.
  uint32_t activeRequests(cluster::HostSlot slot) const { return balancer_.hosts().activeRequests(slot); }
  // The pool of a host that was picked. Each priority has connections of its own, as it has limits of its own.
  pool::Pool& poolOf(cluster::HostSlot slot, cluster::RoutingPriority priority = cluster::RoutingPriority::kDefault);
  // The one for this request, where the cluster's connections depend on requests: on their protocol
  // (use_downstream_protocol_config), on their host (auto_sni, auto_san_validation) or on their client (PROXY
  // protocol, what streams share, original_src).
  pool::Pool& poolFor(cluster::HostSlot slot, cluster::RoutingPriority priority, const http::RequestHeaders& request,
                      const ClientAddresses& client = {}) {
    return by_request_ || client.source != nullptr ? poolByRequest(slot, priority, request, client)
                                                   : poolOf(slot, priority);
  }

  // A request was given to a pool: at the end of the turn hosts that will be chosen next get connections, if that is
  // wanted. (proto: PreconnectPolicy.predictive_preconnect_ratio)
  void predict(cluster::RoutingPriority priority) {
    if (predicts_) notePrediction(priority);
  }

  // A final answer. (stats: upstream_rq_503)
  void countCode(uint16_t status) {
    for (const auto& [code, cell] : codes_) {
      if (code == status) return cell->add();
    }
    countNewCode(status);
  }
  // A final answer that was not passed on, because the request is sent again. (stats: retry.upstream_rq_503)
  void countRetried(uint16_t status);
  // Answers for clients, by who they are.
  OriginCounts& origins() { return origins_; }
  // Answers of a host by its zone; null: they are not counted. Good as long as the cluster.
  StatusCounts* zoneOf(const cluster::Host& host) { return zones_.of(hosts(), host.slot()); }
  // Who is told of attempts at the cluster's hosts.
  base::List<AttemptObserver>& observers() { return observers_; }
  // Of attempts too; null: no outlier detection.
  OutcomeObserver* outcomes() { return outcomes_ ? &*outcomes_ : nullptr; }
  // What its hosts ask by cluster::kFailHeader is done here.
  bool takesFailHeader() const { return fails_.has_value(); }
  // Counts under a name that is known only now, in "cluster.NAME.".
  observability::LateCounts& lateCounts() { return late_counts_; }

  // Another set of hosts: pools of hosts that stay go on untouched, unless HostChanges says otherwise; those of others
  // drain.
  void updateHosts(lb::PreparedHosts hosts);
  // Is told when its host fails, if HostChanges::close_on_failure says so.
  void bind(HostBound& stream) {
    if (config().host_changes.close_on_failure) bound_.pushBack(stream);
  }
  // No new streams will come: all pools drain.
  void drain();

  // --- pool::Room
  bool closeIdle(cluster::RoutingPriority priority) override;
  bool askOthers(cluster::RoutingPriority priority) override;
  // The answer to askOthers(): another worker made room, or none could.
  void roomMade(cluster::RoutingPriority priority, bool found);

 private:
  // A pool that requests' own words called for.
  struct NamedPool {
    std::unique_ptr<pool::Pool> pool;
    event::TimePoint used;
  };
  struct Pools : absl::flat_hash_map<std::string, NamedPool> {
    size_t thin_at = 0;  // not before there are so many they are looked through again
  };

  // Those that checks or outlier detection fail in `next` and not yet now, by slot; empty if nothing follows from that.
  std::vector<bool> newlyFailed(const cluster::HostSet& next) const;
  void endStreamsTo(const std::vector<bool>& failed);
  void runAtTurnEnd() override;  // what drained is thrown away; what was predicted is done
  pool::Pool& poolByRequest(cluster::HostSlot slot, cluster::RoutingPriority priority,
                            const http::RequestHeaders& request, const ClientAddresses& client);
  void thinOut(Pools& pools);
  void retire(std::unique_ptr<pool::Pool> pool);
  void retirePoolsOf(cluster::HostSlot slot);
  size_t poolCount() const;

  void countNewCode(uint16_t status);
  void notePrediction(cluster::RoutingPriority priority);
  void connectAhead();
  Drop drawDrop();

  ClusterSet& set_;
  const ClusterId id_;
  pool::PoolContext context_;
  uint32_t connections_ = 0;  // of all pools, and for bytes; if it predicts
  base::List<AttemptObserver> observers_;
  std::optional<OutcomeObserver> outcomes_;  // in that list
  std::optional<FailObserver> fails_;        // too
  std::optional<LoadObserver> loads_;        // too
  observability::LateCounts late_counts_;
  OriginCounts origins_{late_counts_};
  ZoneCounts zones_;
  std::vector<std::pair<uint16_t, observability::LateCounters::Cell*>> codes_;  // that came before
  const bool by_client_;
  const bool by_state_;
  const bool by_request_;
  const bool predicts_;
  lb::Balancer balancer_;
  std::vector<std::unique_ptr<pool::Pool>> pools_;  // by slot and priority; made on first use
  std::vector<Pools> pools_by_request_;             // as pools_; used if by_request_
  std::string key_;                                 // scratch
  std::vector<std::unique_ptr<pool::Pool>> draining_;
  base::List<HostBound> bound_;
  uint32_t ahead_ = 0;  // connections that may be made for requests to come, in this turn
  cluster::RoutingPriority ahead_priority_ = cluster::RoutingPriority::kDefault;  // of the last of these requests
  size_t room_cursor_ = 0;                                                        // where closeIdle() looks next
  struct Quest {
    bool on = false;
    event::TimePoint not_before{};
  };
  std::array<Quest, cluster::kRoutingPriorities> quests_;  // by priority
};

// Is told when a cluster has other hosts or another configuration, or is gone. Destruction ends it.
class ClusterWatcher : public base::ListNode {
 public:
  virtual ~ClusterWatcher() = default;
  virtual void onClusterChanged(ClusterId id) = 0;
};

class ClusterSet {
 public:
  ClusterSet(event::Loop& loop, net::WorkerBuffers& buffers, observability::StatsCells& cells, uint64_t seed)
      : loop_(loop), buffers_(buffers), cells_(cells), seed_(seed) {}

  // Null where there is no such cluster. State is made on the first use. For a cluster that stands for others it is one
  // of those: of the first that has a healthy host for it, by shares of availability, as priorities of one cluster
  // share requests (host_set.h); degraded hosts behind all healthy ones, and the first of all where no host is left.
  base::LocalPtr<WorkerCluster> find(ClusterId id);
  // Whether there is one of that name, whatever it has.
  bool has(std::string_view name) const { return by_name_.contains(absl::string_view(name.data(), name.size())); }
  // By name, for what is not on the way of every request.
  base::LocalPtr<WorkerCluster> find(std::string_view name);

  void set(std::shared_ptr<const PublishedCluster> published);
  void remove(ClusterId id);
  // A watcher may not be added or destroyed by what it is told.
  void watch(ClusterWatcher& watcher) { watchers_.pushBack(watcher); }

  // Runs work on the next worker's thread, with its set; the workers are a ring. Before the threads start.
  using PostNext = std::function<void(std::function<void(ClusterSet&)>)>;
  void joinRing(PostNext post_next) { post_next_ = std::move(post_next); }

 private:
  friend class WorkerCluster;

  // Goes once around the ring, and ends at the first worker that can close an idle connection of the cluster.
  struct Quest {
    const ClusterSet* from;
    uint64_t number;
    ClusterId cluster;
    cluster::RoutingPriority priority;
    bool found = false;
  };
  bool askOthers(WorkerCluster& asker, ClusterId id, cluster::RoutingPriority priority);
  void carry(Quest quest);
  void forget(const WorkerCluster& asker) {
    absl::erase_if(askers_, [&asker](const auto& entry) { return entry.second == &asker; });
  }
  // Of all requests to a cluster, what its hosts can take: percent, at most 100 together.
  struct Availability {
    uint32_t healthy = 0;
    uint32_t degraded = 0;  // besides

    uint32_t total() const { return healthy + degraded; }
  };
  struct Entry {
    std::shared_ptr<const PublishedCluster> published;
    base::LocalPtr<WorkerCluster> live;
    std::span<const ClusterId> members;        // of its kind; empty: it has hosts of its own
    std::optional<Availability> availability;  // of those; nullopt: nobody asked yet

    // Streams that pinned it go on; its idle connections are in nobody's way.
    void letGo() {
      if (live) live->drain();
      live.reset();
    }
  };
  static Availability availabilityOf(const cluster::HostSet& hosts);
  Availability availabilityOf(ClusterId id, int depth);
  // It has hosts of its own, available or not, or one does that it stands for.
  bool leadsToHosts(ClusterId id, int depth) const;
  ClusterId memberOf(ClusterId id);
  bool has(ClusterId id) const { return id < entries_.size() && entries_[id].published; }

  event::Loop& loop_;
  net::WorkerBuffers& buffers_;
  observability::StatsCells& cells_;
  uint64_t seed_;
  base::Random random_{seed_};
  PostNext post_next_;                                    // null: there is no other worker
  absl::flat_hash_map<uint64_t, WorkerCluster*> askers_;  // by the number of their quest
  uint64_t next_quest_ = 0;
  std::vector<Entry> entries_;
  absl::flat_hash_map<std::string, ClusterId> by_name_;
  base::List<ClusterWatcher> watchers_;
};

}  // namespace sluice::upstream
