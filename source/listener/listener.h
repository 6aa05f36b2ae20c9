// Listeners of one worker: sockets that accept, and the connections of each filter chain.
//
// Sockets are keyed by address and outlive listener generations: an update of a listener with the same addresses keeps
// them, so no connection is refused or lost. An update changes what new connections get; of those that exist only the
// ones whose filter chain changed are drained. Thread: the worker's; configurations are immutable and come from main.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/base/shared_limit.h"
#include "source/event/loop.h"
#include "source/filter/network.h"
#include "source/filter/udp.h"
#include "source/listener/chain_index.h"
#include "source/listener/inspection.h"
#include "source/listener/udp_listener.h"
#include "source/match/tree.h"
#include "source/net/internal_listeners.h"
#include "source/net/socket.h"
#include "source/observability/stats.h"

namespace sluice::listener {

// listener.ADDRESS.*; made on main.
struct ListenerStats {
  observability::Counter cx_total, cx_overflow, global_cx_overflow, context_secrets_not_ready, no_filter_chain_match;
  observability::Counter pre_cx_timeout, filter_remote_close, filter_error, extension_config_missing;
  observability::Gauge pre_cx_active;
  observability::Counter udp_rx_dropped;
  std::shared_ptr<const filter::ConnectionStats> connections;  // null: nobody counts
};

// Which connections are asked to end, by `connection: close` and GOAWAY, while their listeners accept on.
enum class AskToEnd : uint8_t { kNone, kInbound, kAll };

struct FilterChain {
  std::string name;
  uint64_t content_hash = 0;  // equal: connections of the old chain go on untouched
  std::shared_ptr<const filter::TerminalNetworkFilter> terminal;
  std::shared_ptr<const net::TransportFactory> transport = nullptr;  // null: plain
  std::chrono::milliseconds transport_timeout{0};                    // for its handshake; 0: the terminal's default
};

// What makes a listener one of UDP.
struct UdpSettings {
  std::shared_ptr<const filter::UdpFilter> filter;  // null: the listener is one of TCP
  uint64_t filter_hash = 0;                         // equal: sessions go on untouched
  size_t max_rx_datagram_size = 1500;
  bool prefer_gro = false;
};

class WorkerListeners;

// Spreads the connections of one listener evenly over the workers; shared by them, outlives configurations. (proto:
// ConnectionBalanceConfig.ExactBalance)
struct Balance {
  struct alignas(64) Count {
    std::atomic<uint32_t> connections{0};
  };
  explicit Balance(size_t workers) : counts(workers) {}
  std::vector<Count> counts;
  // Runs work on the thread of another worker.
  std::function<void(size_t worker, std::function<void(WorkerListeners&)> work)> post;
};

struct ListenerConfig {
  std::string name;
  std::vector<net::Address> addresses;  // resolved: no port 0
  bool bind = true;                     // false: has no sockets, other listeners hand connections over
  bool internal = false;                // has no sockets, but takes connections of this worker
  uint64_t socket_hash = 0;             // of what sockets are made with: if it changes, new ones are needed
  std::vector<FilterChain> chains;      // at least one, but for UDP
  // Chooses among them by number; null, and no matcher: the first one takes everything.
  std::shared_ptr<const ChainIndex> index = nullptr;
  // Chooses instead of the index: its actions are numbers of chains, one beyond them closes the connection.
  std::shared_ptr<const match::Matcher> matcher = nullptr;
  std::optional<size_t> default_chain = std::nullopt;  // takes what the index or the matcher does not know
  ListenerStats stats;
  InstalledFilters filters = {};                      // run in this order before the chain is chosen
  std::chrono::milliseconds filters_timeout{15'000};  // how long a connection may wait in them; 0: for ever
  bool continue_on_filters_timeout = false;           // it is served then, instead of closed
  bool use_original_dst = false;  // what was going to another listener's address is handed over to that listener
  bool transparent = false;       // sockets take connections to addresses of others
  int accept_batch = 64;          // connections taken in one go: a flood does not starve those that are being served
  std::shared_ptr<const filter::ChainGuard> guard = nullptr;
  std::shared_ptr<Balance> balance = nullptr;  // null: the kernel spreads connections
  // Connections beyond these are closed as they are accepted. Null: no limit.
  base::SharedLimit* process_limit = nullptr;
  base::SharedLimit* limit = nullptr;
  uint32_t buffer_limit = 1024 * 1024;  // as in Accepted
  UdpSettings udp = {};
  bool inbound = false;                                // takes what comes in to this host (proto: traffic_direction)
  std::vector<std::shared_ptr<const void>> held = {};  // what the numbers above stand for
};

class WorkerListeners : public net::InternalListeners, private Inspection::Owner, private event::TurnTask {
 public:
  explicit WorkerListeners(worker::WorkerServices& worker);
  ~WorkerListeners() override;

  // Adds or replaces the listener of that name. `sockets` are listening sockets for those of its addresses that this
  // worker does not listen on yet. Connections of a chain that changed drain for `drain_time`, then they are cut.
  void set(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
           std::chrono::milliseconds drain_time);
  // Accepts what the kernel holds, then closes the listener's sockets; connections drain.
  void remove(const std::string& name, std::chrono::milliseconds drain_time);
  // All of them, or those of inbound traffic, as remove(); but internal ones, which serve to the end of the connections
  // that drain.
  void drainAll(std::chrono::milliseconds drain_time, bool inbound_only = false);
  // Those that are there now are asked at once, those that come while it lasts with their first answer; but none of
  // internal listeners.
  void askToEnd(AskToEnd whom);
  // Cuts every connection and UDP session that is left; returns how many of them had work in progress, and how many
  // there were, without those of internal listeners.
  struct Cut {
    size_t busy = 0;
    size_t total = 0;
  };
  Cut closeAll();
  size_t connections() const;  // and UDP sessions; but those of internal listeners, which are the process's own
  // A connection that another worker accepted for this one, and what it was accepted under.
  void take(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted);
  // net::InternalListeners. The listener is told at the end of the turn.
  absl::StatusOr<net::Fd> connectTo(const net::Address& address, uint8_t hops = 0,
                                    stream::ConnectionStatePtr handed_over = nullptr) override;
  // Bytes that may be on their way to an internal listener, and from it.
  void setInternalBuffer(int bytes) { internal_buffer_ = bytes; }

 private:
  class Socket;
  struct Active;
  struct Draining;

  void setUdp(std::shared_ptr<const ListenerConfig> config, std::vector<net::Fd> sockets,
              std::chrono::milliseconds drain_time);
  void removeUdp(const std::string& name, std::chrono::milliseconds drain_time);
  void removeTcp(const std::string& name, std::chrono::milliseconds drain_time);
  size_t udpSessions() const;
  void acceptSome(Socket& socket, int limit);
  void outOfDescriptors(Socket& socket);
  bool count(const ListenerConfig& config, filter::Counted& counted);
  void accepted(Active& listener, filter::Accepted accepted);
  bool passOn(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted& accepted);
  void arrived(const std::shared_ptr<const ListenerConfig>& config, Active* listener, filter::Accepted accepted,
               bool handed_over = false);
  void serve(const ListenerConfig& config, Active* listener, filter::Accepted accepted);
  void serveLate(const ListenerConfig& config, const FilterChain& chain, Active* listener, filter::Accepted accepted);
  void hand(const ListenerConfig& config, const FilterChain& chain, filter::Accepted accepted,
            base::List<filter::LiveConnection>& list);
  // event::TurnTask
  void runAtTurnEnd() override;
  bool asksToEnd(const ListenerConfig& config) const;
  Active* find(const std::string& name);
  std::shared_ptr<const ListenerConfig> configOf(const std::string& name);  // null: there is none
  Active* findByDestination(const net::Address& destination);
  void indexAddresses(Active& active, const ListenerConfig* before, const ListenerConfig* after);
  // Inspection::Owner
  void inspected(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                 FilterProgress::State state, bool handed_over) override;
  void inspectionTimedOut(const std::shared_ptr<const ListenerConfig>& config, filter::Accepted accepted,
                          FilterProgress progress) override;
  char* scratch() override;
  observability::StatsCells& cells() override { return worker_.cells; }
  void adoptConnections(Active& active, const ListenerConfig* before, std::chrono::milliseconds drain_time);
  void drainConnections(base::List<filter::LiveConnection>& connections, std::chrono::milliseconds drain_time);

  worker::WorkerServices& worker_;
  net::Descriptors* const descriptors_;
  std::map<std::string, std::unique_ptr<Active>> active_;
  std::unordered_map<net::Address, Active*> by_address_;
  std::map<std::string, std::unique_ptr<UdpListener>> udp_;
  std::vector<std::unique_ptr<UdpListener>> udp_leaving_;  // some have sessions still
  base::List<filter::LiveConnection> early_;  // wait in filters of listeners that are not here yet, or not any more
  std::vector<std::unique_ptr<Draining>> draining_;
  std::chrono::milliseconds drain_time_{0};  // as last told
  AskToEnd ask_to_end_ = AskToEnd::kNone;
  // Connections to internal listeners, with what they were made to.
  std::vector<std::pair<std::shared_ptr<const ListenerConfig>, filter::Accepted>> arriving_;
  int internal_buffer_ = 1024 * 1024;
  std::unique_ptr<char[]> scratch_;  // of listener filters; made on first use
};

}  // namespace sluice::listener
