// Clusters that requests want: who is asked for which, which have come, and who waits. (proto: OnDemandCds)
//
// Names come from clients. What is not used for a while is given back: a name that has no cluster, and a cluster to
// which no request went and which no configuration names. Thread: main. Sources may be let go of on any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "source/config/cluster_sources.h"
#include "source/config/config_source.h"
#include "source/event/loop.h"
#include "source/event/timer.h"
#include "source/server/resource_key.h"

namespace sluice::server {

class OnDemandClusters : public config::ClusterSources {
 public:
  // A source that is asked for more than this forgets those without a cluster; it is asked for none beyond that.
  static constexpr size_t kMaxNames = 1000;
  // What nobody used from one look to the next is given back.
  static constexpr std::chrono::minutes kLook{5};

  struct Deps {
    event::Loop& main;
    // Whether the source can be asked; false after reporting.
    std::function<bool(const config::ResourceSource& source, const config::Context& context)> check;
    // Whether the workers have the cluster, or are about to; whether there is one that may not serve yet.
    std::function<bool(const std::string&cluster)> serves, exists;
    // How often requests went to it; nullopt: one lasts, or something else needs it.
    std::function<std::optional<uint64_t>(const std::string& cluster)> uses;
    std::function<void(const std::string& cluster)> remove;
    // Tells a worker that it has the cluster that was asked for at the source of that number, or will not have it.
    std::function<void(uint32_t worker, uint32_t source, const std::string& cluster)> tell;
  };
  explicit OnDemandClusters(Deps deps) : deps_(std::move(deps)) {}

  std::shared_ptr<const route::ClusterSource> clusterSource(const Source& source,
                                                            const config::Context& context) override;

  // --- for the xDS client ---
  bool ads_delta = false;   // the aggregated stream is incremental
  std::string root_source;  // identity of the source of all clusters; empty: there is none
  // Begin and end the interest in a cluster.
  std::function<void(const ResourceKey& key, const Source& source)> on_wanted;
  std::function<void(const ResourceKey& key)> on_unwanted;
  // A cluster of that source and name has come. False: another source has brought the one that has this name.
  bool take(const ResourceKey& key);
  // It is gone, or there is none. True: it is the one that has this name.
  bool gone(const ResourceKey& key);
  // None will come for now.
  void giveUp(const ResourceKey& key);
  // The workers get it.
  void onServes(const std::string& cluster);

 private:
  struct Name {
    uint64_t number = 0;                            // its place among those that were asked for
    uint64_t asked = 0;                             // so often again
    bool settled = false;                           // whether it is there is known
    bool ours = false;                              // the cluster of this name came from here
    std::optional<uint64_t> seen;                   // its uses, at the last look
    std::set<std::pair<uint32_t, uint32_t>> waits;  // workers, and the numbers by which they know the source
  };
  using Names = std::map<std::string, Name>;
  struct Asked {
    Source source;
    uint32_t id = 0;
    std::weak_ptr<const route::ClusterSource> handle;  // the newest
    Names names;
    std::map<uint64_t, std::string> missing;  // those that have no cluster from here, by their numbers
  };

  std::shared_ptr<const route::ClusterSource> makeHandle(const std::string& identity, Asked& asked);
  void demand(const std::string& identity, uint32_t id, const std::string& cluster, uint32_t worker);
  void release(const std::string& identity, uint32_t id);
  void drop(const std::string& identity, Asked& asked, Names::iterator name);
  Name* find(const ResourceKey& key);
  void settle(const std::string& cluster, Name& name);
  void look();

  const Deps deps_;
  std::map<std::string, Asked> sources_;  // by identity
  uint32_t next_id_ = 1;
  uint64_t next_number_ = 1;
  event::Timer look_{deps_.main.timers(), [this] { look(); }};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // handles may outlive this
};

}  // namespace sluice::server
