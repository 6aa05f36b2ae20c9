// Listeners of the process: their sockets, their generations, and what of them the workers serve.
//
// A new or changed listener takes over once its route tables are there (or the time to get them is over); until then
// the old one serves. Sockets belong to addresses: an update that keeps its address keeps them. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/listener_compiler.h"
#include "source/event/loop.h"
#include "source/listener/connection_limits.h"
#include "source/observability/log.h"
#include "source/server/route_manager.h"
#include "source/server/worker.h"

namespace sluice::server {

class ListenerManager {
 public:
  using Proto = envoy::config::listener::v3::Listener;

  struct Generation {
    Proto proto;
    config::CompiledListener compiled;
    std::vector<net::Address> bound;     // port 0 resolved
    std::vector<std::string> waits_for;  // RDS names
    std::string version;
    std::chrono::system_clock::time_point updated;
    observability::Scope scope;
    listener::ListenerStats stats;
  };
  struct Entry {
    bool is_static = false;
    std::unique_ptr<Generation> active;
    std::unique_ptr<Generation> warming;
    std::shared_ptr<listener::Balance> balance;  // made when it is first wanted
  };

  ListenerManager(event::Loop& main, Workers& workers, RouteManager& routes, observability::StatsRegistry& stats,
                  observability::StatsCells& cells, observability::Logger& logger, std::chrono::milliseconds drain_time,
                  listener::ConnectionLimits& limits);

  // Adds or replaces. `rds_names`: the tables it needs before it may serve. Errors: an address that cannot be bound, or
  // the name of a static listener.
  absl::Status set(config::CompiledListener compiled, Proto proto, std::vector<std::string> rds_names, bool is_static,
                   const std::string& version);
  void remove(const std::string& name);
  // True if nothing waits.
  bool allServing() const;
  std::function<void()> on_serving;
  // Before this nothing is accepted: the start-up of the process is one step.
  void startAccepting();
  // Something that listeners wait for has come.
  void activateWarm();

  // Stops accepting everywhere; connections drain.
  // `drain_time`: how long connections may stay; the manager's own without it.
  void drainAll(std::optional<std::chrono::milliseconds> drain_time = {});
  // The same for listeners of inbound traffic; such ones are not taken any more.
  void drainInbound();
  // Connections are asked to end while accepting goes on.
  void askToEnd(listener::AskToEnd whom);
  const std::map<std::string, Entry>& entries() const { return entries_; }
  bool knowsUnchanged(const std::string& name, uint64_t content_hash, const std::string& version);
  bool isStatic(const std::string& name) const;

 private:
  void tryActivate(const std::string& name);
  void letGo(const Generation& generation, const Generation* next);
  void showCounts();
  std::optional<net::Address> takePending(const Generation* active, const std::string& name, const net::Address& wanted,
                                          uint64_t socket_hash, std::vector<std::vector<net::Fd>>& sockets) const;
  std::shared_ptr<listener::Balance> balanceOf(Entry& entry);
  absl::StatusOr<std::vector<std::vector<net::Fd>>> openSockets(const Generation* before, Generation& next);

  event::Loop& main_;
  Workers& workers_;
  RouteManager& routes_;
  observability::StatsRegistry& registry_;
  observability::StatsCells& cells_;
  observability::Logger& logger_;
  std::chrono::milliseconds drain_time_;
  listener::ConnectionLimits& limits_;
  bool accepting_ = false;
  bool draining_ = false;
  bool inbound_drained_ = false;
  std::map<std::string, Entry> entries_;
  // Sockets opened for a generation that does not accept yet, by listener name: per worker, per new address.
  std::map<std::string, std::vector<std::vector<net::Fd>>> sockets_;
  // Addresses of removed listeners whose sockets the workers have not closed yet: another listener may take them over.
  std::multiset<net::Address> closing_;
  // UDP addresses that sessions may still answer from until then, so that they are not free though nobody reads there.
  std::map<net::Address, event::TimePoint> answering_;
  observability::Gauge total_active_, total_warming_;
  observability::Counter added_, modified_, removed_, create_failure_;
};

}  // namespace sluice::server
