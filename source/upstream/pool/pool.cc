#include "source/upstream/pool/pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/upstream/pool/connecting.h"
#include "source/upstream/pool/overflow.h"
#include "source/upstream/pool/request_place.h"

namespace sluice::upstream::pool {

using cluster::Resource;
using cluster::UpstreamProtocol;
using http::ResetReason;

namespace {

// Streams that a peer is expected to take before it has said how many.
constexpr uint32_t kAssumedStreams = 100;

}  // namespace

Pool::Pool(const PoolContext& context, cluster::HostPtr host, cluster::RoutingPriority priority, PoolKey key)
    : context_(context),
      host_(std::move(host)),
      host_stats_(host_->stats().rowOf(&context.cells)),
      priority_(priority),
      key_(std::move(key)),
      preconnect_ratio_(context.config->preconnect_ratio) {
  if (context.config->transportOf(host_->metadata()))
    session_key_ = absl::StrCat(host_->addressText(), "/", key_.server_name);
}

Pool::~Pool() {
  while (!waiting_.empty()) failOne(waiting_.front(), Failure::kDrained, "cluster removed");
  while (!refused_.empty()) {
    Exchange& exchange = refused_.front();
    exchange.unlink();
    exchange.user_.onFailure(Failure::kDrained, "cluster removed");
  }
  for (base::List<ClientConnection>* list : {&free_, &used_}) {
    while (!list->empty()) list->front().fail(ResetReason::kLocal, "cluster_removed");
  }
}

Pool& Pool::http1() {
  if (!http1_) {
    PoolKey key = key_;
    key.protocol = UpstreamProtocol::kHttp1;
    http1_ = std::make_unique<Pool>(context_, host_, priority_, std::move(key));
    if (draining_) http1_->drain();
  }
  return *http1_;
}

void Pool::request(Exchange& exchange, ConnectionNeeds needs) {
  // The host has refused one before.
  if (needs.upgrade && http1_) return http1_->request(exchange, needs);
  exchange.upgrade_ = needs.upgrade;
  while (!needs.fresh && !free_.empty()) {
    ClientConnection& connection = free_.front();
    if (connection.capacity() > 0) {
      give(connection, exchange);
      if (preconnect_ratio_ > 1) preconnect();
      return;
    }
    place(connection);
  }
  cluster::Breakers& breakers = *context_.breakers;
  if (!breakers.tryAcquire(Resource::kPendingRequests, priority_)) {
    context_.cells.add(context_.stats.rq_pending_overflow);
    return exchange.user_.onFailure(Failure::kOverflow, overflowText(context_, Resource::kPendingRequests, priority_));
  }
  context_.cells.add(context_.stats.rq_pending_total);
  context_.cells.add(context_.stats.rq_pending_active);
  exchange.pool_ = this;
  waiting_.pushBack(exchange);
  ++waiting_count_;
  if (connecting_capacity_ < waiting_count_) openConnection();
  if (preconnect_ratio_ > 1) preconnect();
}

void Pool::preconnect() {
  constexpr int kAtOnce = 3;  // as Envoy
  for (int i = 0; i < kAtOnce && wantsMore(preconnect_ratio_); ++i) {
    if (!openAhead()) return;
  }
}

bool Pool::connectAhead(double ratio) {
  return wantsMore(ratio, 1) && openAhead();
}

// It never takes the place of an idle connection of others.
bool Pool::openAhead() {
  if (draining_ || context_.breakers->open(Resource::kConnections, priority_)) return false;
  const uint32_t before = connections_;
  openConnection(true);
  return connections_ > before;
}

bool Pool::wantsMore(double ratio, uint32_t coming) {
  const double wanted = (waiting_count_ + running_ + coming) * ratio;
  uint64_t capacity = uint64_t{running_} + connecting_capacity_;
  if (key_.protocol == UpstreamProtocol::kHttp1) {
    capacity += free_count_;
  } else if (static_cast<double>(capacity) < wanted) {
    free_.forEach([&capacity](ClientConnection& connection) { capacity += connection.capacity(); });
  }
  return static_cast<double>(capacity) < wanted;
}

void Pool::dequeue(Exchange& exchange) {
  exchange.unlink();
  exchange.pool_ = nullptr;
  --waiting_count_;
  context_.breakers->release(Resource::kPendingRequests, priority_);
  context_.cells.sub(context_.stats.rq_pending_active);
}

void Pool::failOne(Exchange& exchange, Failure failure, std::string_view text) {
  dequeue(exchange);
  exchange.user_.onFailure(failure, text);
}

uint32_t Pool::assumedCapacity() const {
  const bool many =
      key_.protocol == UpstreamProtocol::kHttp2 || (key_.protocol == UpstreamProtocol::kAuto && multiplexed_before_);
  return many ? std::min(context_.config->http.max_concurrent_streams, kAssumedStreams) : 1;
}

// As many as who waits needs.
void Pool::openConnections() {
  while (connecting_capacity_ < waiting_count_) {
    const uint32_t before = connections_;
    openConnection();
    if (connections_ <= before) return;
  }
}

void Pool::openConnection(bool ahead) {
  BegunConnection begun;
  switch (beginConnection(context_, *host_, host_stats_, priority_,
                          {.server_name = key_.server_name,
                           .verify_san = key_.verify_san,
                           .alpn = &cluster::alpnOf(key_.protocol),
                           .session_key = session_key_,
                           .client = key_.client ? &*key_.client : nullptr,
                           .target = key_.target ? &*key_.target : nullptr,
                           .tlvs = &key_.tlvs,
                           .source = key_.source ? &*key_.source : nullptr,
                           .shared = key_.shared.get()},
                          begun, connections_ == 0)) {
    case Begin::kBegun:
      break;
    case Begin::kOverflow:
      return ahead ? void() : atConnectionLimit(begun);
    case Begin::kFailed: {
      if (ahead) return;
      const Failure failure = begun.of_ours ? Failure::kNotBegun : Failure::kConnectFailed;
      if (!waiting_.empty()) failOne(waiting_.back(), failure, begun.failure);  // the one that just came
      // The others have waited for a connection of this pool: without one none will ever get free.
      while (connections_ == 0 && !waiting_.empty()) failOne(waiting_.front(), failure, begun.failure);
      return;
    }
  }
  auto* connection = new ClientConnection(*this, std::move(begun.fd), std::move(begun.transport), assumedCapacity());
  if (!begun.others.empty()) connection->connection_.raceTo(begun.others, context_.config->connect);
  used_.pushBack(*connection);
  ++connections_;
  connecting_capacity_ += connection->assumed_capacity_;
}

// Requests wait for a connection of this pool that gets free; if there is none they wait for other workers to give one
// up, or they would wait for ever.
void Pool::atConnectionLimit(const BegunConnection& begun) {
  if (connections_ > 0 || waiting_.empty() || starved_) return;
  starved_ = context_.room != nullptr && context_.room->askOthers(priority_);
  if (starved_) return;
  const std::string why = overflowText(context_, begun, priority_);
  while (connections_ == 0 && !waiting_.empty()) failOne(waiting_.front(), Failure::kOverflow, why);
}

void Pool::roomMade() {
  if (http1_) http1_->roomMade();
  if (!std::exchange(starved_, false)) return;
  openConnections();
}

bool Pool::idle() {
  if (waiting_count_ > 0 || !refused_.empty() || starved_ || !used_.empty() || (http1_ && !http1_->idle()))
    return false;
  bool all = true;
  free_.forEach([&all](ClientConnection& connection) { all &= connection.idle(); });
  return all;
}

bool Pool::closeIdle() {
  if (http1_ && http1_->closeIdle()) return true;
  if (!waiting_.empty() || free_.empty()) return false;
  ClientConnection* oldest = &free_.back();
  if (!oldest->idle()) {
    oldest = nullptr;
    free_.forEach([&oldest](ClientConnection& connection) {
      if (connection.idle()) oldest = &connection;
    });
  }
  if (oldest == nullptr) return false;
  closeConnection(*oldest);
  return true;
}

void Pool::connectionOpen(ClientConnection& connection) {
  connecting_capacity_ -= connection.assumed_capacity_;
  multiplexed_before_ = connection.multiplexed_;
  connectionReady(connection);
  // It takes fewer requests than was assumed.
  if (key_.protocol != UpstreamProtocol::kHttp1) openConnections();
}

// The connection may take requests, or has nothing more to do.
void Pool::connectionReady(ClientConnection& connection) {
  retireIfSpent(connection);
  while (!waiting_.empty() && connection.capacity() > 0) {
    Exchange& exchange = waiting_.front();
    dequeue(exchange);
    give(connection, exchange);
  }
  if (connection.state_ == ClientConnection::State::kOpen && !connection.busy_) place(connection);
}

// (proto: HttpProtocolOptions.max_requests_per_connection)
void Pool::retireIfSpent(ClientConnection& connection) {
  const uint32_t limit = context_.config->http.max_requests_per_connection;
  if (limit == 0 || connection.requests_ < limit || connection.retired_) return;
  context_.cells.add(context_.stats.cx_max_requests);
  connection.retire();
}

// The list that the connection belongs to now, or its end.
void Pool::place(ClientConnection& connection) {
  if (connection.state_ != ClientConnection::State::kOpen) return;
  retireIfSpent(connection);
  if (draining_ && waiting_.empty()) connection.retire();
  const bool has_capacity = connection.capacity() > 0;
  if (has_capacity != connection.in_free_) {
    setFree(connection, has_capacity);
    has_capacity ? free_.pushFront(connection) : used_.pushBack(connection);
  }
  const bool idle = connection.active_ == 0 && !connection.busy_;
  if (idle && connection.retired_) {
    if (!connection.receiving_) closeConnection(connection);  // else settle() does
    return;
  }
  const std::chrono::milliseconds idle_timeout = context_.config->http.idle_timeout;
  if (idle && idle_timeout.count() > 0) connection.timer_.arm(idle_timeout);
}

void Pool::setFree(ClientConnection& connection, bool free) {
  if (connection.in_free_ == free) return;
  connection.in_free_ = free;
  free ? ++free_count_ : --free_count_;
}

void Pool::give(ClientConnection& connection, Exchange& exchange) {
  if (!beginRequest(context_, host_stats_, priority_)) {
    return exchange.user_.onFailure(Failure::kOverflow, overflowText(context_, Resource::kRequests, priority_));
  }
  if (connection.held_ == 0) connection.timer_.cancel();
  connection.attach(exchange);
  if (connection.multiplexed_) {
    exchange.upgrade_ ? connection.beginUpgrade(exchange) : exchange.user_.onReady();
    return place(connection);
  }
  setFree(connection, false);
  used_.pushBack(connection);
  exchange.user_.onReady();
}

void Pool::runAtTurnEnd() {
  while (!refused_.empty()) {
    Exchange& exchange = refused_.front();
    exchange.unlink();
    exchange.user_.onResponseReset(ResetReason::kUnprocessed, "upstream_stream_refused");
  }
  while (!waiting_.empty() && !free_.empty()) {
    ClientConnection& connection = free_.front();
    if (connection.capacity() == 0) {
      place(connection);
      continue;
    }
    Exchange& exchange = waiting_.front();
    dequeue(exchange);
    give(connection, exchange);
  }
}

void Pool::closeConnection(ClientConnection& connection) {
  if (connection.multiplexed_) connection.connection_.flush();  // GOAWAY
  connection.connection_.close();
  connectionGone(connection, Failure::kDrained, {});
}

void Pool::connectionGone(ClientConnection& connection, Failure failure, std::string_view text) {
  using State = ClientConnection::State;
  const State was = std::exchange(connection.state_, State::kDead);
  if (was == State::kDead) return;
  connection.unlink();
  setFree(connection, false);
  connection.timer_.cancel();
  if (connection.keepalive_timer_) connection.keepalive_timer_->cancel();
  if (connection.duration_timer_) connection.duration_timer_->cancel();
  --connections_;
  endConnection(context_, *host_, host_stats_, priority_);
  if (connection.active_ > 0 || connection.busy_) context_.cells.add(context_.stats.cx_destroy_with_active_rq);
  connection.countSent();
  context_.loop.deleteLater(std::unique_ptr<event::Deferred>(&connection));
  if (was == State::kConnecting) {
    connecting_capacity_ -= connection.assumed_capacity_;
    // An attempt that fails fails the requests that it would have served, so that each gets its own attempt and none
    // waits for ever.
    for (uint32_t i = 0; i < connection.assumed_capacity_ && connecting_capacity_ < waiting_count_; ++i) {
      context_.cells.add(context_.stats.rq_pending_failure_eject);
      failOne(waiting_.front(), failure, text);
    }
  }
  if (connecting_capacity_ < waiting_count_) openConnection();
}

void Pool::drain() {
  draining_ = true;
  if (http1_) http1_->drain();
  base::List<ClientConnection> all;
  all.takeAll(free_);
  while (!all.empty()) {
    ClientConnection& connection = all.front();
    setFree(connection, false);
    used_.pushBack(connection);
    place(connection);
  }
}

}  // namespace sluice::upstream::pool
