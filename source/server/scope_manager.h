// Scopes of route tables: keeps those of each connection manager on the workers, asks for the tables that they name,
// and shares those by SRDS among all connection managers that have the same source.
//
// A scope that gets another table serves with the one before until the new one has come. Thread: main. Slots may be let
// go of on any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "source/config/scoped_routes.h"
#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/resource_key.h"
#include "source/server/route_manager.h"
#include "source/server/scope_set.h"
#include "source/server/worker.h"
#include "source/xds/resource_watcher.h"

namespace sluice::server {

class ScopeManager : public config::ScopeSlots {
 public:
  using Source = envoy::config::core::v3::ConfigSource;
  using ScopePtr = std::shared_ptr<const config::CompiledScope>;

  // `cells`: main's. All of it outlives the manager.
  ScopeManager(event::Loop& main, Workers& workers, RouteManager& routes, observability::Logger& logger,
               observability::StatsRegistry& stats, observability::StatsCells& cells)
      : main_(main), workers_(workers), routes_(routes), logger_(logger), stats_(stats), cells_(cells) {}

  std::shared_ptr<const route::ScopesSlot> scopes(config::CompiledScopes scopes, const config::ChainFilters& chain,
                                                  const std::string& stat_prefix, config::InitTargets* init,
                                                  const config::Context& context) override;

  // --- for the xDS client ---
  std::string self_source;  // as RouteManager's
  // Called when all scopes of a source are wanted for the first time, and when nobody wants them any more.
  std::function<void(const Source& source)> on_wanted;
  std::function<void(const std::string& source)> on_unwanted;
  // A response is about to be given by set() and remove(); the keys of what it changes are free.
  void begin(const xds::Update& update);
  // Refuses the key of another scope.
  void set(std::string_view source, ScopePtr scope, const config::Context& context);
  void remove(std::string_view source, const std::string& name);
  // The response is whole, and serves.
  void end(std::string_view source);
  // No scopes came in time, or there are none: whoever waits goes on without, or gives them what is left of the route
  // manager's patience.
  void giveUp(std::string_view source);

  // What the scope of a source waits for before its newest table serves; empty: nothing.
  std::string waitsOf(std::string_view source, const std::string& name) const;
  // What requests of the slot are looked up in. Null: nothing yet.
  std::shared_ptr<const route::ScopeIndex> servingIn(const route::ScopesSlot& slot) const;
  // What the admin pages show: calls `visit` with the scopes of each connection manager that has them in its
  // configuration.
  void forEachFixed(const std::function<void(const ScopeSet&)>& visit) const;

 private:
  // All scopes of one source.
  struct Feed {
    event::TimePoint wanted;                              // from when
    bool came = false;                                    // a first answer
    bool given_up = false;                                // it was waited for in vain
    std::map<std::string, ScopePtr, std::less<>> scopes;  // by name
    std::map<std::string, std::string, std::less<>> name_by_key;
    std::set<ScopeSet*> users;
  };
  std::shared_ptr<const route::ScopesSlot> makeSlot(const route::ScopeKeyBuilder& builder);
  void demand(uint32_t id, const std::string& key, uint32_t worker);
  void release(uint32_t id);
  void join(ScopeSet& set, config::InitTargets* init, const config::Context& context);
  void reclaimKeys(Feed& feed);

  event::Loop& main_;
  Workers& workers_;
  RouteManager& routes_;
  observability::Logger& logger_;
  observability::StatsRegistry& stats_;
  observability::StatsCells& cells_;
  uint32_t next_id_ = 0;
  std::vector<uint32_t> free_ids_;
  std::map<std::string, Feed, std::less<>> feeds_;  // by the identity of the source
  std::map<uint32_t, std::unique_ptr<ScopeSet>> sets_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // slots may outlive the manager
};

}  // namespace sluice::server
