// Network filters: what serves an accepted connection.
//
// A filter chain ends in a terminal filter that owns the connection. The filters in front of it (network_filter.h) let
// the connection through or close it, may wait, and may look at and change its bytes, of which the terminal filter
// knows nothing.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/base/shared_limit.h"
#include "source/event/timer.h"
#include "source/net/address.h"
#include "source/net/socket.h"
#include "source/net/transport.h"
#include "source/observability/stats.h"
#include "source/stream/connection_state.h"
#include "source/stream/downstream_facts.h"
#include "source/stream/response_flags.h"
#include "source/worker/services.h"

namespace sluice::dns_cache {
struct ResolvedHost;
}

namespace sluice::filter {

// What a listener tells of its connections, beside how many came.
struct ConnectionStats {
  observability::Gauge active;
  observability::Counter destroy;
};

// One of the connections of a listener, on the worker that has it.
class ActiveConnection {
 public:
  ActiveConnection() = default;
  ActiveConnection(observability::StatsCells& cells, std::shared_ptr<const ConnectionStats> stats)
      : cells_(&cells), stats_(std::move(stats)) {
    if (stats_) cells_->add(stats_->active);
  }
  ActiveConnection(ActiveConnection&& other) noexcept : cells_(other.cells_), stats_(std::move(other.stats_)) {}
  ActiveConnection& operator=(ActiveConnection&& other) noexcept {
    std::swap(cells_, other.cells_);
    std::swap(stats_, other.stats_);
    return *this;
  }
  ~ActiveConnection() {
    if (!stats_) return;
    cells_->sub(stats_->active);
    cells_->add(stats_->destroy);
  }

 private:
  observability::StatsCells* cells_ = nullptr;
  std::shared_ptr<const ConnectionStats> stats_;
};

// What a connection counts for until its end. The listener's.
struct Counted {
  base::LimitUnit process, listener;
  std::shared_ptr<void> balance;
  std::shared_ptr<void> address;  // a place among the connections of its client's address; null: those are not limited
  ActiveConnection active;
};

// A downstream connection as its listener sees it. It owns itself and leaves the listener's list at its end.
class LiveConnection : public base::ListNode {
 public:
  virtual ~LiveConnection() = default;
  // Take on no new work after what is next; say so to the peer where the protocol can. Never cuts anything.
  virtual void drain() = 0;
  // The same for one that has only come: it is served, and told with its first answer. One that was told before it asks
  // would come again at once.
  virtual void drainAtAnswer() { drain(); }
  // Ends it now. True if that cut a request (or a stream of bytes) short.
  virtual bool closeNow(std::string_view details) = 0;

  Counted counted;
};

// What filters in front of the terminal one know of a connection, and what they leave for what follows. Lives as long
// as the connection.
struct ConnectionFacts {
  net::Address remote;                             // as in Accepted
  net::Address direct_remote;                      // of the socket
  net::Address local;                              // where the client wanted to go
  std::string server_name;                         // SNI in lower case; empty: none
  std::vector<std::string> application_protocols;  // the agreed one after TLS, else those that the ClientHello offered
  const net::TlsInfo* tls = nullptr;               // null: plain
  net::Transport* transport = nullptr;             // null: a plain socket, or its handshake is not over

  std::string cluster;  // instead of the terminal filter's own (proto: tcp_proxy's per-connection cluster)
  // What the name of its host stands for, for clusters whose hosts are named; null: nobody looked.
  std::shared_ptr<const dns_cache::ResolvedHost> resolved_host;
  stream::ResponseFlags response_flags;  // for the access log
  stream::ConnectionStatePtr state;      // null: nobody has left anything
};

// What stands in front of a terminal network filter (network_filter.h), in order.
class NetworkFilterFactory;
using NetworkFilters = std::vector<std::shared_ptr<const NetworkFilterFactory>>;

// Whether a request for a host would have got another filter chain than its connection did, and so perhaps another TLS
// policy: then it is answered 421. Immutable, made with the listener, shared by all workers.
class ChainGuard {
 public:
  virtual ~ChainGuard() = default;
  // `host`: of the authority, without port, in lower case; it differs from the connection's SNI. `chosen`: as it was
  // put into Accepted.
  virtual bool misdirected(std::string_view host, const void* chosen) const = 0;
};

// A connection that a listener accepted, with what its listener filters found out before the chain was chosen.
struct Accepted {
  net::Fd fd;
  net::TransportPtr transport;  // null: plain; its handshake has not begun
  net::Address remote;          // the client; after PROXY protocol or other means, not necessarily the socket's peer
  net::Address direct_remote;   // the socket's peer
  net::Address local;           // where the client wanted to go (original_dst, PROXY protocol); the chain matched on it
  net::Address direct_local;    // where it was accepted
  std::string_view transport_protocol = "raw_buffer";  // or "tls", as listener filters saw it; static storage
  std::string server_name;  // SNI of a ClientHello that tls_inspector saw, in lower case; empty: none
  std::vector<std::string> application_protocols;               // ALPN of that ClientHello, or what http_inspector saw
  std::unique_ptr<const stream::TlsFingerprints> fingerprints;  // of that ClientHello; null: nobody asked
  // How long the transport's handshake may take; 0: the terminal filter's default.
  std::chrono::milliseconds transport_timeout{0};
  std::shared_ptr<const ChainGuard> guard;  // null: no other chain could have been chosen by server name
  const void* chosen_chain = nullptr;       // for the guard only
  Counted counted;
  // How many bytes may wait here in each direction for a slow reader. (proto: per_connection_buffer_limit_bytes)
  uint32_t buffer_limit = 1024 * 1024;
  uint8_t internal_hops = 0;  // internal listeners that it came through, with that of its own
  // What was left for all streams of the connection; null: nothing.
  stream::ConnectionStatePtr state;
  // In front of the terminal filter, which gives them to a NetworkChain. Null: none.
  std::shared_ptr<const NetworkFilters> filters;
};

// The terminal filter of a chain, compiled. Immutable, shared by all workers.
class TerminalNetworkFilter {
 public:
  virtual ~TerminalNetworkFilter() = default;
  // Takes the connection over and puts it into `list`.
  virtual void serve(Accepted accepted, worker::WorkerServices& worker, base::List<LiveConnection>& list) const = 0;
};

}  // namespace sluice::filter
