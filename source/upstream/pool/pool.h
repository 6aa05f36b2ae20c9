// Connections from one worker to one host, and the requests that wait for one.
//
// HTTP/1: one request at a time on a connection; a free one is reused, the most recently used first. The pool asks the
// cluster's process-wide breakers before it opens a connection or lets a request wait.
// Thread: the worker's. A pool that its host has left drains: what runs goes on, what is free is closed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"
#include "source/http/codec.h"
#include "source/net/connection.h"
#include "source/observability/stats.h"
#include "source/upstream/cluster/breakers.h"
#include "source/upstream/cluster/cluster_config.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream::pool {

// Stats of one cluster (cluster.NAME.*). Handles only; made on main.
struct ClusterStats {
  observability::Counter cx_total, cx_http1_total, cx_connect_fail, cx_connect_timeout, cx_destroy,
      cx_destroy_with_active_rq, cx_overflow, cx_max_requests, cx_idle_timeout, cx_protocol_error, cx_rx_bytes_total,
      cx_tx_bytes_total, cx_none_healthy;
  observability::Gauge cx_active, rq_active, rq_pending_active;
  observability::Counter rq_total, rq_completed, rq_pending_total, rq_pending_overflow, rq_pending_failure_eject,
      rq_timeout, rq_cancelled, rq_rx_reset, rq_tx_reset, rq_overflow, rq_retry, rq_1xx, rq_2xx, rq_3xx, rq_4xx, rq_5xx;
  observability::Histogram cx_connect_ms, rq_time;
};

// What all pools of a worker's cluster share.
struct PoolContext {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  std::shared_ptr<const cluster::ClusterConfig> config;
  std::shared_ptr<cluster::Breakers> breakers;
  ClusterStats stats;
};

enum class Failure : uint8_t {
  kConnectFailed,
  kConnectTimeout,
  kOverflow,  // a breaker is open
  kDrained,   // the pool went away while the request waited
};

class ClientConnection;
class Pool;

// Who asked for a connection. Destroying or cancelling it takes the request back.
class Waiter : public base::ListNode {
 public:
  virtual ~Waiter() = default;
  // The connection is this one's until its request ends.
  virtual void onReady(ClientConnection& connection) = 0;
  virtual void onFailure(Failure failure, std::string_view text) = 0;

 private:
  friend class Pool;
  Pool* pool_ = nullptr;
};

// The user of a connection: one exchange. Calls come in order; after onResponseReset or the end of the response none.
class ExchangeEvents {
 public:
  virtual ~ExchangeEvents() = default;
  virtual http::ResponseHeaders& beginResponse() = 0;
  virtual void onInformational() = 0;
  virtual void onResponseHeaders(bool end_stream) = 0;
  virtual void onResponseData(std::string_view data, bool end_stream) = 0;
  virtual http::Trailers& beginResponseTrailers() = 0;
  virtual void onResponseTrailers() = 0;
  // `detail`: static text.
  virtual void onResponseReset(http::ResetReason reason, std::string_view detail) = 0;
  virtual size_t responseCredit() = 0;
  virtual void onRequestBytesSent() = 0;
};

class ClientConnection final : private net::ConnectionEvents,
                               private http::ClientEvents,
                               public event::Deferred,
                               public base::ListNode {
 public:
  ClientConnection(Pool& pool, net::Fd fd);
  ~ClientConnection() override;

  // --- for the exchange that has the connection ---
  void attach(ExchangeEvents& exchange) { exchange_ = &exchange; }
  void sendHeaders(const http::RequestHeaders& headers, bool end_stream);
  void sendData(std::string_view data, bool end_stream);
  void sendTrailers(const http::Trailers& trailers);
  // The exchange is not interested any more: the connection is closed unless the exchange is complete.
  void abandon();
  size_t unsentBytes() const { return connection_.pendingBytes(); }
  void resumeReading() { connection_.resumeReading(); }
  // True if it served a request before this one and nothing came back for this one: then its peer may have closed it
  // before it saw the request.
  bool maybeUnseen() const { return requests_ > 1 && connection_.bytesReceived() == received_before_; }
  uint64_t id() const { return id_; }
  std::string_view localAddress();

 private:
  friend class Pool;

  void onConnected() override;
  size_t readCredit() override;
  void onBytes(std::string_view bytes) override;
  void onPeerEnd() override;
  void onBroken(net::CloseReason reason, int error) override;
  void onDrained() override;

  http::ResponseHeaders& beginResponse(http::StreamId) override { return exchange_->beginResponse(); }
  void onInformational(http::StreamId) override { exchange_->onInformational(); }
  void onResponseHeaders(http::StreamId, bool end_stream) override;
  void onResponseData(http::StreamId, std::string_view data, bool end_stream) override;
  http::Trailers& beginResponseTrailers(http::StreamId) override { return exchange_->beginResponseTrailers(); }
  void onResponseTrailers(http::StreamId) override;
  void onResponseReset(http::StreamId, http::ResetReason reason) override;

  ExchangeEvents* take(bool end_stream);
  void settle();
  void failExchange(http::ResetReason reason, std::string_view detail);
  void onTimer();

  enum class State : uint8_t { kConnecting, kFree, kBusy, kDead };

  Pool& pool_;
  State state_ = State::kConnecting;
  ExchangeEvents* exchange_ = nullptr;
  http::StreamId stream_ = 0;
  bool request_ended_ = false;
  bool response_ended_ = false;
  uint32_t requests_ = 0;
  uint64_t id_;
  uint64_t received_before_ = 0;  // before the present exchange
  event::TimePoint connect_began_;
  std::string local_address_;
  net::Connection connection_;
  std::unique_ptr<http::ClientCodec> codec_;
  event::Timer timer_;  // connect timeout, then idle timeout
};

class Pool {
 public:
  // `context` outlives the pool.
  Pool(const PoolContext& context, cluster::HostPtr host,
       cluster::RoutingPriority priority = cluster::RoutingPriority::kDefault)
      : context_(context), host_(std::move(host)), priority_(priority) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Gives a connection now (onReady inside the call), or later, or fails (inside the call: a breaker).
  // `fresh`: no reused connection, the request failed on one already.
  void request(Waiter& waiter, bool fresh);
  void cancel(Waiter& waiter);
  // No new requests will come; free connections are closed, the others after their exchange.
  void drain();
  bool empty() const { return connections_ == 0; }

  const cluster::Host& host() const { return *host_; }
  uint32_t connections() const { return connections_; }

 private:
  friend class ClientConnection;

  void openConnection();
  void failOne(Waiter& waiter, Failure failure, std::string_view text);
  void connectionReady(ClientConnection& connection);
  void connectionGone(ClientConnection& connection, Failure failure, std::string_view text);
  void give(ClientConnection& connection, Waiter& waiter);
  void dequeue(Waiter& waiter);

  const PoolContext& context_;
  cluster::HostPtr host_;
  const cluster::RoutingPriority priority_;  // whose breakers are asked
  base::List<ClientConnection> free_;        // most recently used first
  base::List<ClientConnection> used_;        // connecting or busy
  base::List<Waiter> waiting_;
  uint32_t waiting_count_ = 0;
  uint32_t connecting_ = 0;
  uint32_t connections_ = 0;
  bool draining_ = false;
};

}  // namespace sluice::upstream::pool
