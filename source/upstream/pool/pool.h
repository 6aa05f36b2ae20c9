// Connections from one worker to one host, and the requests that wait for one.
//
// HTTP/1: one request at a time on a connection; a free one is reused, the most recently used first. HTTP/2: requests
// share a connection up to the peer's limit of streams, then a further one is opened. The pool asks the cluster's
// process-wide breakers before it opens a connection, lets a request wait, or gives it a connection: a request has its
// place among max_requests while it is on one.
// Thread: the worker's. A pool that its host has left drains: what runs goes on, what is free is closed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/breakers.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/cluster_stats.h"
#include "source/upstream/cluster/host.h"
#include "source/upstream/pool/client_connection.h"
#include "source/upstream/pool/exchange.h"

namespace sluice::upstream::pool {

class Pool;
struct BegunConnection;

// Who makes room where the cluster has as many connections as it may have: idle ones of other pools are in the way.
// Implemented by the worker's cluster, which knows them.
class Room {
 public:
  virtual ~Room() = default;
  // Closes a connection of this worker that nothing runs on. False: there is none.
  virtual bool closeIdle(cluster::RoutingPriority priority) = 0;
  // Other workers are asked for one, and then the pools that starved() hear of it. False: nobody to ask, or just asked
  // in vain.
  virtual bool askOthers(cluster::RoutingPriority priority) = 0;
};

// What all pools of a worker's cluster share.
struct PoolContext {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  std::shared_ptr<const cluster::ClusterConfig> config;
  std::shared_ptr<cluster::Breakers> breakers;
  cluster::ClusterStats stats;
  Room* room = nullptr;
  // Those of now, for who opens connections. Null: each has one address.
  const cluster::HostSet* hosts = nullptr;
  // Connections of the cluster on this worker are counted there. Null: nobody wants to know.
  uint32_t* connections = nullptr;
};

// What sets pools of one host apart, beside the priority.
struct PoolKey {
  cluster::UpstreamProtocol protocol = cluster::UpstreamProtocol::kHttp1;  // never kDownstream
  std::string server_name;  // auto_sni: what requests of this pool say in TLS
  std::string verify_san;   // auto_san_validation: what the host's certificate must say
  // Of the one client whose requests these are (TransportFactory::tellsClient), as far as they are addresses.
  std::optional<net::Address> client, target;
  net::ProxyTlvs tlvs;                        // of its PROXY header
  std::optional<net::BorrowedSource> source;  // from where connections come; nothing: as the cluster says
  std::shared_ptr<const stream::FilterState>
      shared;  // what requests share (TransportFactory::handsOver); null: nothing
};

class Pool : private event::TurnTask {
 public:
  // `context` outlives the pool.
  Pool(const PoolContext& context, cluster::HostPtr host,
       cluster::RoutingPriority priority = cluster::RoutingPriority::kDefault)
      : Pool(context, std::move(host), priority, {context.config->http.protocol, {}, {}}) {}
  Pool(const PoolContext& context, cluster::HostPtr host, cluster::RoutingPriority priority, PoolKey key);
  ~Pool() override;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Gives a connection now (onReady inside the call), or later, or fails (inside the call: a breaker, an upgrade that
  // the host refuses). A wait for the host's word on upgrades is bounded by the cluster's connect_timeout.
  void request(Exchange& exchange, ConnectionNeeds needs);
  // One connection for a request that will probably come: if what the host has would not do for `ratio` times those of
  // now and that one. True: it was begun. (proto: PreconnectPolicy.predictive_preconnect_ratio)
  bool connectAhead(double ratio);
  // No new requests will come; free connections are closed, the others after their exchanges.
  void drain();
  bool empty() const { return connections_ == 0; }
  // Around each attempt: it may go on for longer than its exchange, where filters hold what the host said.
  void attemptBegins() { ++attempts_; }
  void attemptEnds() { --attempts_; }
  // No connections and attempts, and nobody to be told anything.
  bool unused() const {
    return connections_ == 0 && attempts_ == 0 && waiting_count_ == 0 && refused_.empty() && !starved_ &&
           (!http1_ || http1_->unused());
  }
  // Nothing runs or waits here; connections may be open.
  bool idle();
  // Closes the connection that was idle longest, if there is one and nobody waits for it.
  bool closeIdle();
  cluster::RoutingPriority priority() const { return priority_; }
  // Requests wait for another worker to make room; roomMade() ends that, whether it did or not.
  bool starved() const { return starved_ || (http1_ && http1_->starved()); }
  void roomMade();

  const cluster::Host& host() const { return *host_; }
  cluster::HostStats::Row& hostStats() const { return host_stats_; }
  uint32_t connections() const { return connections_; }

 private:
  friend class ClientConnection;
  friend class Exchange;

  void runAtTurnEnd() override;  // tells the refused; who waits gets streams that were given up
  void openConnections();
  // `ahead`: of requests. Nobody waits for it, and nobody hears of its failure.
  void openConnection(bool ahead = false);
  // As many as the requests here will probably need soon. (proto: PreconnectPolicy.per_upstream_preconnect_ratio)
  void preconnect();
  // `coming`: requests that are not here yet.
  bool wantsMore(double ratio, uint32_t coming = 0);
  bool openAhead();
  void setFree(ClientConnection& connection, bool free);
  void atConnectionLimit(const BegunConnection& begun);
  // Whose connections speak HTTP/1.1: for upgrades that the host does not take over the HTTP/2 that it chose.
  Pool& http1();
  uint32_t assumedCapacity() const;
  void failOne(Exchange& exchange, Failure failure, std::string_view text);
  void dequeue(Exchange& exchange);
  void connectionOpen(ClientConnection& connection);
  void connectionReady(ClientConnection& connection);
  void connectionGone(ClientConnection& connection, Failure failure, std::string_view text);
  void closeConnection(ClientConnection& connection);
  void give(ClientConnection& connection, Exchange& exchange);
  void place(ClientConnection& connection);
  void retireIfSpent(ClientConnection& connection);

  const PoolContext& context_;
  cluster::HostPtr host_;
  cluster::HostStats::Row& host_stats_;      // this worker's
  const cluster::RoutingPriority priority_;  // whose breakers are asked
  const PoolKey key_;
  std::string session_key_;            // TLS only
  std::unique_ptr<Pool> http1_;        // made when it is first needed
  base::List<ClientConnection> free_;  // with capacity; most recently used first
  base::List<ClientConnection> used_;  // connecting, or without capacity
  base::List<Exchange> waiting_;
  base::List<Exchange> refused_;  // that their connection did not take
  uint32_t attempts_ = 0;
  uint32_t waiting_count_ = 0;
  uint32_t connecting_capacity_ = 0;  // what connections under way will probably take
  uint32_t connections_ = 0;
  uint32_t running_ = 0;     // exchanges on connections
  uint32_t free_count_ = 0;  // of free_
  const double preconnect_ratio_;
  bool draining_ = false;
  bool starved_ = false;
  bool multiplexed_before_ = true;  // ALPN decides: what it decided last
};

}  // namespace sluice::upstream::pool
