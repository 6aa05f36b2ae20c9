// Route tables of the process: gives each a slot that is the same on every worker, and fills the slots.
//
// An inline table is in its slot from the start. A table by RDS has one slot for each name of each source, shared by
// all connection managers that name it; it stays empty (requests are answered 404) until the first table comes. A table
// that leads to clusters which do not serve yet waits for them, while the one before serves (ClusterWaits). Thread:
// main. Slots may be let go of on any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "source/config/services.h"
#include "source/event/loop.h"
#include "source/observability/stats.h"
#include "source/route/table.h"
#include "source/server/cluster_waits.h"
#include "source/server/discovery_stats.h"
#include "source/server/resource_key.h"
#include "source/server/worker.h"

namespace sluice::server {

class RouteManager : public config::RouteSlots {
 public:
  using Source = envoy::config::core::v3::ConfigSource;
  using FilterNames = std::set<std::string, std::less<>>;

  // `cells`: main's.
  RouteManager(event::Loop& main, Workers& workers, observability::StatsRegistry& stats,
               observability::StatsCells& cells)
      : main_(main), workers_(workers), stats_(stats), cells_(cells) {}

  std::shared_ptr<const route::TableSlot> inlineTable(std::shared_ptr<const route::Table> table) override;
  std::shared_ptr<const route::TableSlot> rds(const std::string& name, const Source& source, config::InitTargets* init,
                                              const config::Context& context) override;
  std::shared_ptr<const route::TableSlot> usedBy(std::shared_ptr<const route::TableSlot> slot,
                                                 const config::ChainFilters& chain,
                                                 std::string_view stat_prefix) override;
  std::shared_ptr<const route::Table> tableOf(const route::TableSlot& slot) override;
  // The table that requests of the slot get; null: none has come.
  std::shared_ptr<const route::Table> servingIn(const route::TableSlot& slot) const;

  // Of the connection managers that use a table, of several of one stat prefix the newest: those before drain.
  std::vector<config::ChainFilters> chainsOf(const ResourceKey& key) const;

  // Adds to `init` that the table of a slot of rds() is there; it is not given up.
  void awaitTable(const route::TableSlot& slot, config::InitTargets& init);

  // --- for the xDS client ---
  // Called when a name is wanted for the first time, and when the last user of it is gone.
  std::string self_source;  // identity of the source of listeners, which `self` means
  std::function<void(const ResourceKey& key, const Source& source)> on_wanted;
  std::function<void(const ResourceKey& key)> on_unwanted;
  // Called when a request wants a virtual host that its table has on demand; it calls `done` when the table has it, or
  // will not have it. Empty: there are none.
  std::function<void(const ResourceKey& key, const std::string& host, std::function<void()> done)> on_host_wanted;
  // Called once for each filter that a table has settings for and that no chain which uses the table has: they are
  // without effect.
  std::function<void(const ResourceKey& key, const std::string& filter)> on_unknown_filter;
  ClusterWaits* cluster_waits = nullptr;  // null: no table waits
  // How long, from when its name is first wanted, a table that there is not is waited for by what takes the place of
  // something that serves; 0: not at all.
  std::chrono::milliseconds patience{0};
  // Gives the table of a name that is wanted; others are ignored. `filters`: those that it has settings for. One with
  // virtual hosts on demand, for which requests wait, takes over at once.
  void setTable(const ResourceKey& key, std::shared_ptr<const route::Table> table, FilterNames filters = {},
                const std::string& version = {});
  // What the newest table of that name waits for before it serves; empty: it serves, or there is none.
  std::string waitsOf(const ResourceKey& key) const;
  // Calls `visit` with each name whose newest table waits, and what for.
  void forEachComing(const std::function<void(const ResourceKey& key, const std::string& waits)>& visit) const;
  // Clusters that the table which serves leads to and that do not serve, as text.
  std::string missingOf(const ResourceKey& key) const;
  // What is told of the table of that source and name; without a name: of all of that source. A table is told
  // of under the stat prefix of each connection manager that uses it.
  void forEachDiscovery(std::string_view source, std::string_view name,
                        const std::function<void(DiscoveryStats&)>& visit);
  // No table came in time, or there is none: whoever waits goes on without, or gives it what is left of `patience`.
  void giveUp(const ResourceKey& key);
  // True once setTable or giveUp was called for it.
  bool settled(const ResourceKey& key) const;

 private:
  // A chain that uses a table; its connection manager holds it in place of the slot.
  struct User {
    std::shared_ptr<const route::TableSlot> slot;
    config::ChainFilters filters;
    std::string stat_prefix;
    std::shared_ptr<DiscoveryStats> discovery;
  };
  struct Version {
    std::shared_ptr<const route::Table> table;
    FilterNames filters;  // that it has settings for
  };
  // One that came and does not serve yet.
  struct Coming {
    Version version;
    event::TimePoint since;  // from when one waits
    std::unique_ptr<InitManager> init;
  };
  struct Entry {
    std::weak_ptr<const route::TableSlot> slot;
    uint32_t id = 0;
    event::TimePoint wanted;  // from when
    bool settled = false;
    std::vector<config::InitTarget> waits;      // of those that were compiled before that
    std::vector<config::InitTarget> replacing;  // of those in whose place something serves: until clusters do, too
    std::vector<config::InitTarget> awaited;    // until there is a table and its clusters serve
    std::unique_ptr<InitManager> clusters;      // of the table that serves, for those; null: they serve
    Version serving;                            // without a table: none came
    std::unique_ptr<Coming> coming;             // null: what serves is the newest
    std::string version;                        // of the newest
    FilterNames told;                           // of these, unknown to all chains
    std::vector<std::weak_ptr<const User>> users;
    std::map<std::string, std::weak_ptr<DiscoveryStats>, std::less<>> discovery;  // by stat prefix; users hold them
  };
  std::shared_ptr<const route::TableSlot> makeSlot(ResourceKey key);
  void release(uint32_t id, const ResourceKey& key);
  void askForHost(uint32_t id, const ResourceKey& key, const std::string& host, uint32_t worker);
  void wait(const ResourceKey& key, Entry& entry, config::InitTargets& init);
  static void settle(Entry& entry);
  void serve(const ResourceKey& key, Entry& entry, Version version);
  void awaitClusters(const ResourceKey& key, Entry& entry);
  void fill(uint32_t id, const std::shared_ptr<const route::Table>& table);
  std::shared_ptr<DiscoveryStats> discoveryOf(const ResourceKey& key, Entry& entry, std::string_view stat_prefix);
  void tellUnknownFilters(const ResourceKey& key, Entry& entry);

  event::Loop& main_;
  Workers& workers_;
  observability::StatsRegistry& stats_;
  observability::StatsCells& cells_;
  std::vector<uint32_t> free_ids_;
  uint32_t next_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);      // slots may outlive the manager
  std::map<ResourceKey, Entry> by_key_;                             // RDS only
  std::map<uint32_t, ResourceKey> key_of_;                          // RDS only, by slot
  std::map<uint32_t, std::shared_ptr<const route::Table>> inline_;  // by slot
};

}  // namespace sluice::server
