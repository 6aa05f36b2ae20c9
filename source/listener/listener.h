// Listeners of one worker: sockets that accept, and the connections of each filter chain.
//
// Sockets are keyed by address and outlive listener generations: an update of a listener with the same addresses keeps
// them, so no connection is refused or lost. An update changes what new connections get; of those that exist only the
// ones whose filter chain changed are drained. Thread: the worker's; configurations are immutable and come from main.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/filter/network.h"
#include "source/net/socket.h"
#include "source/observability/stats.h"

namespace sluice::listener {

// listener.ADDRESS.*; made on main.
struct ListenerStats {
  observability::Counter cx_total, cx_overflow;
};

struct FilterChain {
  std::string name;
  uint64_t content_hash = 0;  // equal: connections of the old chain go on untouched
  std::shared_ptr<const filter::TerminalNetworkFilter> terminal;
};

struct ListenerConfig {
  std::string name;
  std::vector<net::Address> addresses;  // resolved: no port 0
  FilterChain chain;                    // the default chain; matching comes with further chains
  ListenerStats stats;
};

class WorkerListeners {
 public:
  WorkerListeners(event::Loop& loop, filter::NetworkServices& services, observability::StatsCells& cells);
  ~WorkerListeners();

  // Adds or replaces the listener of that name. `sockets` are listening sockets for those of its addresses that this
  // worker does not listen on yet. Connections of a chain that changed drain for `drain_time`, then they are cut.
  void set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
           std::chrono::milliseconds drain_time);
  // Accepts what the kernel holds, then closes the listener's sockets; connections drain.
  void remove(const std::string& name, std::chrono::milliseconds drain_time);
  // All of them, as remove().
  void drainAll(std::chrono::milliseconds drain_time);
  // Cuts every connection that is left; returns how many of them had work in progress, and how many there were.
  struct Cut {
    size_t busy = 0;
    size_t total = 0;
  };
  Cut closeAll();
  size_t connections() const;

 private:
  class Socket;
  struct Active;
  struct Draining;

  void acceptSome(Socket& socket, int limit);
  void drainConnections(base::List<filter::LiveConnection>& connections, std::chrono::milliseconds drain_time);

  event::Loop& loop_;
  filter::NetworkServices& services_;
  observability::StatsCells& cells_;
  std::map<std::string, std::unique_ptr<Active>> active_;
  std::vector<std::unique_ptr<Draining>> draining_;
};

}  // namespace sluice::listener
