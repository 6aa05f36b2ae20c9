// The scopes of one connection manager: which table each serves with, and which it waits for.
//
// Thread: main. Tables of scopes that are on demand are asked for by demand().
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/config/scoped_routes.h"
#include "source/event/loop.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/server/init_manager.h"
#include "source/server/route_manager.h"
#include "source/server/worker.h"

namespace sluice::server {

class ScopeSet {
 public:
  using ScopePtr = std::shared_ptr<const config::CompiledScope>;

  struct Deps {
    event::Loop& main;
    Workers& workers;
    RouteManager& routes;
    observability::Logger& logger;
    observability::StatsCells& cells;
  };
  // `id`: of its place on the workers. `source`: identity of the source of scopes; empty: they are fixed.
  ScopeSet(Deps deps, uint32_t id, config::CompiledScopes config, std::string source, config::ChainFilters chain,
           std::string stat_prefix, observability::Scope stats);
  ~ScopeSet();
  ScopeSet(const ScopeSet&) = delete;
  ScopeSet& operator=(const ScopeSet&) = delete;

  // Adds or changes a scope; its table is asked for. `init`: what waits for it; null: the set itself does. Reports to
  // `context` if tables cannot be had.
  void put(ScopePtr scope, config::InitTargets* init, const config::Context& context);
  void remove(const std::string& name);
  // Gives the workers what was changed since the last time, if anything was.
  void publish();

  // Asks for the table of the scope with that key, which is on demand; `done` is called when the workers have it, or
  // when there is nothing to wait for.
  void demand(std::string_view key, std::function<void()> done);

  // `target` is ready once nothing is waited for any more; see settle(). `replaces`: what has it takes the place of
  // something that serves, which waits for the tables of scopes that come meanwhile, too.
  void waitWith(config::InitTarget target, bool replaces);
  // There are no scopes for now.
  void giveUp(std::chrono::milliseconds grace) { first_.absent(grace); }
  // All scopes are known that can be: what waits for the set goes on once their tables have come.
  void settle();

  // What a scope waits for before its newest table serves; empty: nothing.
  std::string waitsOf(const std::string& name) const;
  const std::string& name() const { return config_.name; }
  const std::string& source() const { return source_; }
  const config::CompiledScopes& config() const { return config_; }
  std::chrono::system_clock::time_point made() const { return made_; }
  // What the workers have; null: nothing yet.
  const std::shared_ptr<const route::ScopeIndex>& published() const { return published_; }

 private:
  struct Member {
    ScopePtr scope;
    std::shared_ptr<const route::TableSlot> serving;  // null: none so far
    std::shared_ptr<const route::TableSlot> coming;   // takes over when `wait` is done
    std::unique_ptr<InitManager> wait;                // null: nothing is waited for
    bool asked = false;                               // of one on demand: somebody wanted it
    std::vector<std::function<void()>> demands;       // to be told when it is not waited for any more
  };
  void askForTable(Member& member, config::InitTargets* init, const config::Context& context);
  void takeOver(const std::string& name);
  void answer(Member& member);
  void tell();

  const Deps deps_;
  const uint32_t id_;
  const config::CompiledScopes config_;
  const std::string source_;
  const config::ChainFilters chain_;
  const std::string stat_prefix_;
  observability::Scope stats_;
  const std::chrono::system_clock::time_point made_ = std::chrono::system_clock::now();
  const event::TimePoint began_;
  const observability::Counter config_reload_;
  using Counts = std::array<uint64_t, 3>;
  const std::array<observability::Gauge, 3> shown_;  // of all scopes, of those on demand, of those with a table
  std::map<std::string, Member, std::less<>> members_;
  std::shared_ptr<const route::ScopeIndex> published_;
  Counts counts_{};
  std::vector<std::function<void()>> answered_;  // demands, when the workers have what was changed
  bool changed_ = false;
  bool whole_ = false;  // see settle()
  config::InitTarget first_;
  bool replaces_ = false;
};

}  // namespace sluice::server
