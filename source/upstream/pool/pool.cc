#include "source/upstream/pool/pool.h"

#include <cstring>

#include "source/http/h1/codec.h"

namespace sluice::upstream::pool {

using cluster::Resource;
using http::ResetReason;

namespace {

http::CodecLimits limitsOf(const cluster::UpstreamHttpConfig& config) {
  http::CodecLimits limits;
  limits.max_header_count = config.max_headers_count;
  limits.enable_trailers = config.enable_trailers;
  limits.allow_chunked_length = config.allow_chunked_length;
  return limits;
}

}  // namespace

// --- ClientConnection
// -------------------------------------------------------------------------------------------------

ClientConnection::ClientConnection(Pool& pool, net::Fd fd)
    : pool_(pool),
      id_(static_cast<uint64_t>(reinterpret_cast<uintptr_t>(this))),
      connect_began_(pool.context_.loop.now()),
      connection_(pool.context_.loop, pool.context_.buffers, std::move(fd), net::Connection::Mode::kConnecting, *this),
      codec_(http::h1::makeClientCodec(*this, connection_, limitsOf(pool.context_.config->http))),
      timer_(pool.context_.loop.timers(), [this] { onTimer(); }) {
  timer_.arm(pool.context_.config->connect_timeout);
}

ClientConnection::~ClientConnection() = default;

std::string_view ClientConnection::localAddress() {
  if (local_address_.empty()) local_address_ = net::localAddress(connection_.fd()).toString();
  return local_address_;
}

void ClientConnection::onConnected() {
  const PoolContext& context = pool_.context_;
  context.cells.record(
      context.stats.cx_connect_ms,
      std::chrono::duration_cast<std::chrono::milliseconds>(context.loop.now() - connect_began_).count());
  timer_.cancel();
  --pool_.connecting_;
  state_ = State::kFree;
  pool_.connectionReady(*this);
}

void ClientConnection::onTimer() {
  const PoolContext& context = pool_.context_;
  if (state_ == State::kConnecting) {
    context.cells.add(context.stats.cx_connect_timeout);
    connection_.close();
    return pool_.connectionGone(*this, Failure::kConnectTimeout, "connection timeout");
  }
  if (state_ != State::kFree) return;
  context.cells.add(context.stats.cx_idle_timeout);
  connection_.close();
  pool_.connectionGone(*this, Failure::kDrained, {});
}

size_t ClientConnection::readCredit() {
  // A free connection reads too: to see its peer's end at once, and bytes that nobody asked for.
  return state_ == State::kBusy && exchange_ != nullptr ? exchange_->responseCredit() : net::WorkerBuffers::kReadSize;
}

void ClientConnection::onBytes(std::string_view bytes) {
  pool_.context_.cells.add(pool_.context_.stats.cx_rx_bytes_total, bytes.size());
  const std::optional<http::ProtocolError> error = codec_->receive(bytes);
  if (state_ == State::kDead) return;
  if (error) {
    pool_.context_.cells.add(pool_.context_.stats.cx_protocol_error);
    connection_.close();
    failExchange(ResetReason::kProtocolError, error->detail);
    return pool_.connectionGone(*this, Failure::kDrained, {});
  }
  settle();
}

void ClientConnection::onPeerEnd() {
  const std::optional<http::ProtocolError> error = codec_->receiveEnd();
  if (state_ == State::kDead) return;
  connection_.close();
  if (!response_ended_) {
    failExchange(ResetReason::kConnectionEnded, error ? error->detail : std::string_view("upstream_connection_closed"));
  }
  if (state_ != State::kDead) pool_.connectionGone(*this, Failure::kDrained, {});
}

void ClientConnection::onBroken(net::CloseReason reason, int error) {
  if (state_ == State::kConnecting) {
    pool_.context_.cells.add(pool_.context_.stats.cx_connect_fail);
    return pool_.connectionGone(*this, Failure::kConnectFailed, strerror(error));
  }
  (void)reason;
  failExchange(ResetReason::kConnectionEnded, "upstream_connection_reset");
  if (state_ != State::kDead) pool_.connectionGone(*this, Failure::kDrained, {});
}

void ClientConnection::onDrained() {
  if (exchange_ != nullptr) exchange_->onRequestBytesSent();
}

void ClientConnection::sendHeaders(const http::RequestHeaders& headers, bool end_stream) {
  request_ended_ = end_stream;
  stream_ = codec_->sendHeaders(headers, end_stream);
}

void ClientConnection::sendData(std::string_view data, bool end_stream) {
  if (end_stream) request_ended_ = true;
  codec_->sendData(stream_, data, end_stream);
}

void ClientConnection::sendTrailers(const http::Trailers& trailers) {
  request_ended_ = true;
  codec_->sendTrailers(stream_, trailers);
}

void ClientConnection::onResponseHeaders(http::StreamId, bool end_stream) {
  if (ExchangeEvents* exchange = take(end_stream)) exchange->onResponseHeaders(end_stream);
}

void ClientConnection::onResponseData(http::StreamId, std::string_view data, bool end_stream) {
  if (ExchangeEvents* exchange = take(end_stream)) exchange->onResponseData(data, end_stream);
}

void ClientConnection::onResponseTrailers(http::StreamId) {
  if (ExchangeEvents* exchange = take(true)) exchange->onResponseTrailers();
}

void ClientConnection::onResponseReset(http::StreamId, ResetReason reason) {
  failExchange(reason, "upstream_stream_reset");
}

// Who hears the next event. The end of a response is the last one, whatever the peer still sends.
ExchangeEvents* ClientConnection::take(bool end_stream) {
  if (!end_stream) return exchange_;
  response_ended_ = true;
  return std::exchange(exchange_, nullptr);
}

void ClientConnection::failExchange(ResetReason reason, std::string_view detail) {
  if (ExchangeEvents* exchange = std::exchange(exchange_, nullptr)) exchange->onResponseReset(reason, detail);
}

void ClientConnection::abandon() {
  exchange_ = nullptr;
  if (state_ != State::kBusy) return;
  if (response_ended_ && request_ended_) return;  // settle() frees it after the codec's return
  connection_.close();
  pool_.connectionGone(*this, Failure::kDrained, {});
}

// After the codec has taken a batch of bytes: frees the connection if its exchange is complete.
void ClientConnection::settle() {
  if (state_ != State::kBusy || !response_ended_) return;
  if (!request_ended_ || !codec_->reusable()) {
    connection_.close();
    return pool_.connectionGone(*this, Failure::kDrained, {});
  }
  state_ = State::kFree;
  pool_.connectionReady(*this);
}

// --- Pool
// -------------------------------------------------------------------------------------------------------------

Pool::~Pool() {
  waiting_.forEach([this](Waiter& waiter) {
    dequeue(waiter);
    waiter.onFailure(Failure::kDrained, "cluster removed");
  });
  auto closeAll = [this](ClientConnection& connection) {
    connection.connection_.close();
    connection.failExchange(ResetReason::kLocal, "cluster_removed");
    if (connection.state_ != ClientConnection::State::kDead) connectionGone(connection, Failure::kDrained, {});
  };
  free_.forEach(closeAll);
  used_.forEach(closeAll);
}

void Pool::request(Waiter& waiter, bool fresh) {
  if (!free_.empty() && !fresh) return give(free_.front(), waiter);
  cluster::Breakers& breakers = *context_.breakers;
  if (!breakers.tryAcquire(Resource::kPendingRequests, priority_)) {
    context_.cells.add(context_.stats.rq_pending_overflow);
    return waiter.onFailure(Failure::kOverflow, "overflow");
  }
  context_.cells.add(context_.stats.rq_pending_total);
  context_.cells.add(context_.stats.rq_pending_active);
  waiter.pool_ = this;
  waiting_.pushBack(waiter);
  ++waiting_count_;
  if (connecting_ < waiting_count_) openConnection();
}

void Pool::dequeue(Waiter& waiter) {
  waiter.unlink();
  waiter.pool_ = nullptr;
  --waiting_count_;
  context_.breakers->release(Resource::kPendingRequests, priority_);
  context_.cells.sub(context_.stats.rq_pending_active);
}

void Pool::cancel(Waiter& waiter) {
  if (waiter.pool_ == this) dequeue(waiter);
}

void Pool::failOne(Waiter& waiter, Failure failure, std::string_view text) {
  dequeue(waiter);
  waiter.onFailure(failure, text);
}

void Pool::openConnection() {
  // At the limit requests wait for a connection of this pool that gets free; if there is none they would wait for ever.
  if (!context_.breakers->tryAcquire(Resource::kConnections, priority_)) {
    context_.cells.add(context_.stats.cx_overflow);
    while (connections_ == 0 && !waiting_.empty()) failOne(waiting_.front(), Failure::kOverflow, "overflow");
    return;
  }
  context_.cells.add(context_.stats.cx_total);
  context_.cells.add(context_.stats.cx_http1_total);
  absl::StatusOr<net::Fd> fd = net::startConnect(host_->address());
  if (!fd.ok()) {
    context_.breakers->release(Resource::kConnections, priority_);
    context_.cells.add(context_.stats.cx_connect_fail);
    const std::string text(fd.status().message());
    if (!waiting_.empty()) failOne(waiting_.back(), Failure::kConnectFailed, text);  // the one that just came
    // The others have waited for a connection of this pool: without one none will ever get free.
    while (connections_ == 0 && !waiting_.empty()) failOne(waiting_.front(), Failure::kConnectFailed, text);
    return;
  }
  context_.cells.add(context_.stats.cx_active);
  auto* connection = new ClientConnection(*this, *std::move(fd));
  used_.pushBack(*connection);
  ++connections_;
  ++connecting_;
}

void Pool::connectionReady(ClientConnection& connection) {
  const uint32_t limit = context_.config->http.max_requests_per_connection;
  if (limit != 0 && connection.requests_ >= limit) {
    context_.cells.add(context_.stats.cx_max_requests);
    connection.connection_.close();
    return connectionGone(connection, Failure::kDrained, {});
  }
  if (!waiting_.empty()) {
    Waiter& waiter = waiting_.front();
    dequeue(waiter);
    return give(connection, waiter);
  }
  if (draining_) {
    connection.connection_.close();
    return connectionGone(connection, Failure::kDrained, {});
  }
  free_.pushFront(connection);
  if (context_.config->http.idle_timeout.count() > 0) connection.timer_.arm(context_.config->http.idle_timeout);
}

void Pool::give(ClientConnection& connection, Waiter& waiter) {
  connection.timer_.cancel();
  connection.state_ = ClientConnection::State::kBusy;
  connection.request_ended_ = connection.response_ended_ = false;
  connection.received_before_ = connection.connection_.bytesReceived();
  ++connection.requests_;
  used_.pushBack(connection);
  waiter.onReady(connection);
}

void Pool::connectionGone(ClientConnection& connection, Failure failure, std::string_view text) {
  using State = ClientConnection::State;
  const State was = std::exchange(connection.state_, State::kDead);
  if (was == State::kDead) return;
  connection.unlink();
  connection.timer_.cancel();
  --connections_;
  context_.breakers->release(Resource::kConnections, priority_);
  context_.cells.sub(context_.stats.cx_active);
  context_.cells.add(context_.stats.cx_destroy);
  if (was == State::kBusy) context_.cells.add(context_.stats.cx_destroy_with_active_rq);
  context_.cells.add(context_.stats.cx_tx_bytes_total, connection.connection_.bytesSent());
  context_.loop.deleteLater(std::unique_ptr<event::Deferred>(&connection));
  if (was == State::kConnecting) {
    --connecting_;
    // An attempt that fails fails one request, so that each gets its own attempt and none waits for ever.
    if (connecting_ < waiting_count_) {
      context_.cells.add(context_.stats.rq_pending_failure_eject);
      failOne(waiting_.front(), failure, text);
    }
  }
  if (connecting_ < waiting_count_) openConnection();
}

void Pool::drain() {
  draining_ = true;
  free_.forEach([this](ClientConnection& connection) {
    connection.connection_.close();
    connectionGone(connection, Failure::kDrained, {});
  });
}

}  // namespace sluice::upstream::pool
