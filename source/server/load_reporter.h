// What came of requests since the last report to a load reporting server, by cluster, priority and locality.
//
// Nothing is counted for it: reports are differences of what is counted of each host anyway (upstream/cluster/
// host_stats.h), summed when one is due. Whoever leaves between two reports (hosts, clusters) is remembered until what
// it did is told and nothing runs there any more. Memory follows the hosts that were ever used, of clusters that the
// server wants to know of.
//
// Hosts that requests make (ORIGINAL_DST, dynamic_forward_proxy) are no hosts of main, and are not reported. A host
// that an update puts into another locality or priority has all of its report there.
//
// Thread: main.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "source/event/timer.h"
#include "source/observability/stats.h"
#include "source/server/cluster_manager.h"
#include "source/upstream/cluster/host_monitor.h"
#include "source/xds/load_stats_client.h"

namespace sluice::server {

class LoadReporter final : public xds::LoadStatsSource {
 public:
  // All of it outlives the reporter.
  LoadReporter(ClusterManager& clusters, const observability::StatsRegistry& stats,
               std::function<event::TimePoint()> now);
  ~LoadReporter() override;

  void onWanted(xds::LoadStatsWanted wanted) override;
  void takeReport(Report& out) override;

 private:
  // Of one host, or of several together.
  struct Counts {
    uint64_t succeeded = 0, failed = 0, issued = 0, connected = 0, connect_failed = 0;
    uint64_t running = 0, connections = 0;  // now

    static Counts of(const upstream::cluster::HostStats& stats);
    Counts since(const Counts& before) const;
    void add(const Counts& other);
    bool none() const;
  };
  struct Place {
    uint32_t priority = 0;
    upstream::cluster::Locality locality;

    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Host {
    std::shared_ptr<upstream::cluster::HostMonitor> monitor;
    Place place;
    Counts told;
    uint64_t seen = 0;  // the last report that it was a host of the cluster for, or before which it left
  };
  // What is counted of requests that are not sent.
  struct Drops {
    uint64_t overload = 0;  // for drop_overloads
    uint64_t breakers = 0;
  };
  struct Load {
    upstream::cluster::ClusterStats stats;
    std::string service_name, drop_categories;
    event::TimePoint since;
    Drops told;
    Drops untold;  // beside what has been counted since
    std::unordered_map<const upstream::cluster::HostMonitor*, Host> hosts;
  };
  struct PlaceReport {
    Counts sum;
    envoy::config::endpoint::v3::UpstreamLocalityStats out;
  };

  bool wants(const std::string& name) const { return wanted_.all || names_.contains(name); }
  // `counted`: what it has counted was before; else it is a cluster that came.
  void begin(const ClusterManager::Entry& entry, bool counted);
  static Host& hostOf(Load& load, const upstream::cluster::HostSet::Entry& entry);
  void onHostsLeft(const ClusterManager::Entry& entry, const upstream::cluster::HostSet& before,
                   const upstream::cluster::HostSet* after);
  Drops dropsOf(const Load& load) const;
  void followStats(Load& load, const upstream::cluster::ClusterStats& stats);
  Drops takeDrops(Load& load) const;
  void seeHosts(Load& load, const ClusterManager::Entry& entry);
  void reportHosts(Load& load, std::map<Place, PlaceReport>& places);
  // False: nothing happened.
  bool report(Load& load, envoy::config::endpoint::v3::ClusterStats& out);

  ClusterManager& clusters_;
  const observability::StatsRegistry& registry_;
  const std::function<event::TimePoint()> now_;
  xds::LoadStatsWanted wanted_;  // its clusters are these:
  std::set<std::string> names_;
  std::map<std::string, Load> loads_;
  event::TimePoint since_;  // of clusters that came after it
  uint64_t reports_ = 0;
};

}  // namespace sluice::server
