// Listeners of the process: their sockets, their generations, and what of them the workers serve.
//
// A new or changed listener takes over once what it waits for is there (its route tables and secrets, or whatever an
// extension needs first), or the time for that is over; until then the old one serves. Its addresses are bound at once,
// so that one that is taken is refused, and listened on when it is warm, so that no client is taken that would have to
// wait. Sockets belong to addresses: an update that keeps its address keeps them. Thread: main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "source/config/listener_compiler.h"
#include "source/event/loop.h"
#include "source/listener/connection_limits.h"
#include "source/net/socket_source.h"
#include "source/observability/log.h"
#include "source/server/init_manager.h"
#include "source/server/worker.h"

namespace sluice::server {

class ListenerManager {
 public:
  using Proto = envoy::config::listener::v3::Listener;

  struct Generation {
    Proto proto;
    config::CompiledListener compiled;
    std::vector<net::Address> bound;  // port 0 resolved
    std::string version;
    std::chrono::system_clock::time_point updated;
    event::TimePoint since;  // from when one waits to replace what serves
    std::shared_ptr<const void> stats_hold;
    listener::ListenerStats stats;
    std::unique_ptr<InitManager> init;  // last: goes before whatever holds its targets
  };
  struct Entry {
    bool is_static = false;
    std::unique_ptr<Generation> active;
    std::unique_ptr<Generation> warming;
    std::shared_ptr<listener::Balance> balance;  // made when it is first wanted
    config::InitTarget first;                    // of the start of the process, until one generation serves
  };

  // What served before, by name; its connections may stay until then.
  struct Drained {
    Proto proto;
    std::string version;
    std::chrono::system_clock::time_point updated;
    event::TimePoint until;
  };
  static constexpr size_t kMaxDrained = 1000;  // that are shown

  ListenerManager(event::Loop& main, Workers& workers, net::SocketSource& sockets, observability::StatsRegistry& stats,
                  observability::StatsCells& cells, observability::Logger& logger, std::chrono::milliseconds drain_time,
                  listener::ConnectionLimits& limits);

  // To compile a listener of that name with.
  std::unique_ptr<InitManager> newInit(const std::string& name);
  // Adds or replaces. `init`: has the targets that were added while it was compiled; null: there are none. Errors: an
  // address that cannot be bound, or the name of a static listener.
  absl::Status set(config::CompiledListener compiled, Proto proto, std::unique_ptr<InitManager> init, bool is_static,
                   const std::string& version);
  void remove(const std::string& name);
  // How long what takes the place of a listener that serves waits for tables, secrets and the like that there are not;
  // 0: not at all.
  std::chrono::milliseconds patience{0};
  // Waits until each listener serves that comes before it is done; null: nothing does.
  InitManager* boot = nullptr;
  // Before this nothing is accepted: the start-up of the process is one step.
  void startAccepting();

  // Stops accepting everywhere; connections drain.
  // `drain_time`: how long connections may stay; the manager's own without it.
  void drainAll(std::optional<std::chrono::milliseconds> drain_time = {});
  // The same for listeners of inbound traffic; such ones are not taken any more.
  void drainInbound();
  // Connections are asked to end while accepting goes on.
  void askToEnd(listener::AskToEnd whom);
  const std::map<std::string, Entry>& entries() const { return entries_; }
  // The last generation of each listener whose chains were changed or removed less than the drain time ago.
  const std::map<std::string, Drained>& drained() const { return drained_; }
  // The newest is of that content, or what serves is, whose replacement then is waited for no longer.
  bool knowsUnchanged(const std::string& name, uint64_t content_hash, const std::string& version);
  bool isStatic(const std::string& name) const;
  // That the generation names which serves; empty: none does.
  std::span<const route::ClusterId> clustersOf(const std::string& name) const;
  // From when a generation waits to replace it; now, if none does.
  event::TimePoint waitingSince(const std::string& name) const;

 private:
  // Sockets that were opened for a generation: per worker and, in the order of the addresses, per address.
  struct Pending {
    std::vector<std::vector<net::TakenSocket>> sockets;
    std::vector<net::Address> addresses;
  };
  void beginWaiting(const std::string& name, Entry& entry, bool is_new);
  void tryActivate(const std::string& name);
  absl::Status beginListening(const std::string& name, Generation& next);
  void abandonWarming(const std::string& name, const absl::Status& why);
  static net::ListenOptions optionsOf(const config::CompiledListener& compiled, const net::Address& address);
  static observability::StatsHold makeStats(observability::StatsRegistry& registry, const Generation& generation,
                                            listener::ListenerStats& stats);
  void letGo(Generation& generation, const Generation* next);
  void rememberDrained(Generation& generation, const Generation* next);
  void forgetDrained();
  void showCounts();
  std::optional<net::Address> takePending(const Generation* active, const std::string& name, const net::Address& wanted,
                                          uint64_t socket_hash, Pending& opened) const;
  std::shared_ptr<listener::Balance> balanceOf(Entry& entry);
  absl::Status checkOurs(const Generation& next, const net::Address& address) const;
  absl::StatusOr<Pending> openSockets(const Generation* before, Generation& next);
  absl::Status openAt(net::Address& address, const Generation& next, bool shares_with_ours, Pending& opened) const;

  event::Loop& main_;
  Workers& workers_;
  net::SocketSource& source_;
  observability::StatsRegistry& registry_;
  observability::StatsCells& cells_;
  observability::Logger& logger_;
  std::chrono::milliseconds drain_time_;
  listener::ConnectionLimits& limits_;
  bool accepting_ = false;
  bool draining_ = false;
  bool inbound_drained_ = false;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Pending> sockets_;  // of generations that do not accept yet, by listener name
  // Addresses of removed listeners whose sockets the workers have not closed yet: another listener may take them over.
  std::multiset<net::Address> closing_;
  // UDP addresses that sessions may still answer from until then, so that they are not free though nobody reads there.
  std::map<net::Address, event::TimePoint> answering_;
  std::map<std::string, Drained> drained_;
  event::Timer drained_end_{main_.timers(), [this] { forgetDrained(); }};
  observability::Gauge total_active_, total_warming_;
  observability::Counter added_, modified_, removed_, create_failure_;
};

}  // namespace sluice::server
