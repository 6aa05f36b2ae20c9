#include "source/upstream/pool/client_connection.h"

#include <algorithm>
#include <cstring>

#include "source/base/random.h"
#include "source/http/h1/codec.h"
#include "source/http/h2/codec.h"
#include "source/upstream/pool/pool.h"
#include "source/upstream/pool/request_place.h"

namespace sluice::upstream::pool {

using cluster::HostStat;
using http::ResetReason;
using std::chrono::milliseconds;

namespace {

// How long the last bytes of a tunnel wait for a host that takes none of them.
constexpr milliseconds kFlushPatience{10'000};

http::CodecLimits limitsOf(const cluster::UpstreamHttpConfig& config, bool http2) {
  http::CodecLimits limits;
  limits.max_header_count = config.max_headers_count;
  limits.max_header_bytes = config.max_header_bytes;
  limits.enable_trailers = http2 || config.enable_trailers;
  limits.allow_chunked_length = config.allow_chunked_length;
  limits.name_case = config.name_case;
  limits.absolute_target = config.absolute_target;
  return limits;
}

}  // namespace

// --- Exchange --------------------------------------------------------------------------------------------------------

void Exchange::sendHeaders(const http::RequestHeaders& headers, bool end_stream) {
  if (connection_ == nullptr) return;
  started_ = true;
  connection_->pingAhead();
  connection_->request_ended_ = request_ended_ = end_stream && !headers.wantsTunnel();  // a tunnel ends by its data
  stream_ = connection_->codec_->sendHeaders(headers, end_stream);
  if (!connection_->multiplexed_) return;
  if (stream_ != 0) {
    connection_->streams_->insert_or_assign(stream_, this);
    return;
  }
  // The codec does not take it. Told from the loop, never inside a send.
  Pool& pool = connection_->pool_;
  started_ = false;
  connection_->detach(*this);
  pool.refused_.pushBack(*this);
  pool.context_.loop.atTurnEnd(pool);
}

void Exchange::sendData(std::string_view data, bool end_stream) {
  if (connection_ == nullptr) return;
  ClientConnection& connection = *connection_;
  if (end_stream) connection.request_ended_ = request_ended_ = true;
  const bool ends_tunnel = end_stream && connection.codec_->tunnelling(stream_);
  connection.codec_->sendData(stream_, data, end_stream);
  if (!ends_tunnel) return;
  if (!connection.multiplexed_) connection.connection_.shutdownWrites();
  if (response_ended_) connection.tunnelOver(*this);
}

void Exchange::sendTrailers(const http::Trailers& trailers) {
  if (connection_ == nullptr) return;
  connection_->request_ended_ = request_ended_ = true;
  connection_->codec_->sendTrailers(stream_, trailers);
}

void Exchange::abandon() {
  if (pool_ != nullptr) pool_->dequeue(*this);
  if (connection_ == nullptr) return unlink();  // it may be among the refused
  ClientConnection& connection = *connection_;
  const bool tunnel_cut = !connection.multiplexed_ && !request_ended_ && connection.codec_->tunnelling(stream_);
  if (started_) connection.codec_->reset(stream_, ResetReason::kLocal);
  connection.detach(*this);
  if (tunnel_cut) return connection.closeBroken();
  if (!connection.multiplexed_ && started_) return connection.pool_.closeConnection(connection);
  // Nothing went out: another request may have it.
  if (!connection.multiplexed_ && !connection.receiving_) connection.busy_ = false;
  connection.giveRoom();
}

size_t Exchange::unsentBytes() const {
  if (connection_ == nullptr) return 0;
  size_t pending = connection_->connection_.pendingBytes();
  if (connection_->multiplexed_ && started_) pending += connection_->codec_->unsentBytes(stream_);
  if (pending > 0) told_unsent_ = true;
  return pending;
}

void Exchange::resumeReading() {
  if (connection_ == nullptr) return;
  if (connection_->multiplexed_) return connection_->openWindow(*this);
  connection_->connection_.resumeReading();
}

base::LocalPtr<stream::UpstreamTls> Exchange::tls() const {
  return connection_ == nullptr ? base::LocalPtr<stream::UpstreamTls>() : connection_->tls();
}

uint64_t Exchange::connectionId() const {
  return connection_ == nullptr ? 0 : connection_->id();
}

stream::StreamInfo::UpstreamConnect Exchange::connectTimes() const {
  return connection_ == nullptr ? stream::StreamInfo::UpstreamConnect() : connection_->connectTimes();
}

std::string_view Exchange::localAddress() const {
  return connection_ == nullptr ? std::string_view() : connection_->localAddress();
}

bool Exchange::multiplexed() const {
  return connection_ != nullptr && connection_->multiplexed_;
}

http::Protocol Exchange::protocol() const {
  return multiplexed() ? http::Protocol::kHttp2 : http::Protocol::kHttp11;
}

// --- ClientConnection ------------------------------------------------------------------------------------------------

ClientConnection::ClientConnection(Pool& pool, net::Fd fd, net::TransportPtr transport, uint32_t assumed_capacity)
    : pool_(pool),
      assumed_capacity_(assumed_capacity),
      id_(static_cast<uint64_t>(reinterpret_cast<uintptr_t>(this))),
      connect_{.begin = pool.context_.loop.now()},
      connection_(pool.context_.loop, pool.context_.buffers, std::move(fd), net::Connection::Mode::kConnecting, *this,
                  std::move(transport)),
      timer_(pool.context_.loop.timers(), [this] { onTimer(); }) {
  timer_.arm(pool.context_.config->connect_timeout);
}

ClientConnection::~ClientConnection() = default;

std::string_view ClientConnection::localAddress() {
  if (local_address_.empty()) local_address_ = net::localAddress(connection_.fd()).toString();
  return local_address_;
}

const base::LocalPtr<stream::UpstreamTls>& ClientConnection::tls() {
  if (!tls_ && connection_.transport() != nullptr) {
    const net::TlsInfo* info = connection_.transport()->tlsInfo();
    if (info != nullptr) tls_ = base::makeLocal<stream::UpstreamTls>(*info);
  }
  return tls_;
}

void ClientConnection::makeCodec() {
  const PoolContext& context = pool_.context_;
  const cluster::UpstreamHttpConfig& http = context.config->http;
  using cluster::UpstreamProtocol;
  const UpstreamProtocol wanted = pool_.key_.protocol;
  net::Transport* const transport = connection_.transport();
  multiplexed_ = wanted == UpstreamProtocol::kHttp2 || (wanted == UpstreamProtocol::kAuto && transport != nullptr &&
                                                        transport->applicationProtocol() == "h2");
  codec_ = multiplexed_ ? http::h2::makeClientCodec(*this, connection_, limitsOf(http, true), http.http2)
                        : http::h1::makeClientCodec(*this, connection_, limitsOf(http, false));
  context.cells.add(multiplexed_ ? context.stats.cx_http2_total : context.stats.cx_http1_total);
  if (multiplexed_) {
    streams_.emplace();
    heard_at_ = context.loop.now();
    if (http.http2_keepalive_interval.count() > 0 || http.http2_idle_interval.count() > 0) {
      keepalive_timer_.emplace(context.loop.timers(), [this] { onKeepalive(); });
      armKeepalive();
    }
  }
  if (http.max_connection_duration.count() > 0) {
    duration_timer_.emplace(context.loop.timers(), [this] { onMaxDuration(); });
    const double jitter =
        static_cast<double>(http.max_connection_duration.count()) * http.max_connection_duration_jitter;
    base::Random random(id_);
    duration_timer_->arm(http.max_connection_duration + milliseconds(random.below(static_cast<uint64_t>(jitter) + 1)));
  }
}

void ClientConnection::onConnected() {
  const PoolContext& context = pool_.context_;
  context.cells.record(context.stats.cx_connect_ms,
                       std::chrono::duration_cast<milliseconds>(context.loop.now() - connect_.begin).count());
  connect_.end = connection_.connectedAt();
  if (connection_.transport() != nullptr && connection_.transport()->secure())
    connect_.handshake_end = context.loop.now();
  timer_.cancel();
  makeCodec();
  state_ = State::kOpen;
  pool_.connectionOpen(*this);
}

void ClientConnection::onTimer() {
  const PoolContext& context = pool_.context_;
  if (state_ == State::kConnecting) {
    context.cells.add(context.stats.cx_connect_timeout);
    pool_.host_stats_.add(HostStat::kCxConnectFail);
    connection_.close();
    return pool_.connectionGone(*this, Failure::kConnectTimeout, "connection timeout");
  }
  if (flushing_) return closeFlushed();
  if (held_ > 0) {
    while (held_ > 0) {
      Exchange& exchange = firstHeld();
      detach(exchange);
      exchange.user_.onFailure(Failure::kConnectTimeout,
                               "the host's HTTP/2 SETTINGS, which allow upgrades, did not come");
    }
    return pool_.place(*this);
  }
  if (active_ > 0 || busy_) return;
  context.cells.add(context.stats.cx_idle_timeout);
  pool_.closeConnection(*this);
}

void ClientConnection::onKeepalive() {
  const PoolContext& context = pool_.context_;
  if (codec_->awaitingPing()) {
    context.cells.add(context.stats.http2_keepalive_timeout);
    return fail(ResetReason::kConnectionEnded, "upstream_keepalive_timeout");
  }
  // Armed for the answer, then for the next interval.
  if (std::exchange(pinged_, false)) return armKeepalive();
  ping();
}

void ClientConnection::armKeepalive() {
  if (pool_.context_.config->http.http2_keepalive_interval.count() > 0) keepalive_timer_->arm(keepaliveWait());
}

void ClientConnection::ping() {
  pinged_ = true;
  codec_->ping();
  keepalive_timer_->arm(std::max(pool_.context_.config->http.http2_keepalive_timeout, milliseconds(1)));
}

void ClientConnection::pingAhead() {
  const milliseconds quiet = pool_.context_.config->http.http2_idle_interval;
  if (quiet.count() == 0 || !multiplexed_ || pinged_ || pool_.context_.loop.now() - heard_at_ < quiet) [[likely]]
    return;
  ping();
}

milliseconds ClientConnection::keepaliveWait() const {
  const cluster::UpstreamHttpConfig& http = pool_.context_.config->http;
  const auto most = static_cast<uint64_t>(http.http2_keepalive_interval.count()) * http.http2_keepalive_jitter_percent;
  base::Random random(id_ ^ connection_.bytesReceived());
  return http.http2_keepalive_interval + milliseconds(random.below(most / 100 + 1));
}

void ClientConnection::onMaxDuration() {
  pool_.context_.cells.add(pool_.context_.stats.cx_max_duration_reached);
  retire();
  pool_.place(*this);
}

uint32_t ClientConnection::capacity() const {
  if (retired_ || state_ != State::kOpen) return 0;
  if (!multiplexed_) return busy_ ? 0 : 1;
  const uint32_t limit = pool_.context_.config->http.max_concurrent_streams;
  return limit <= active_ ? 0 : std::min(limit - active_, codec_->freeStreams());
}

void ClientConnection::retire() {
  if (std::exchange(retired_, true)) return;
  if (codec_ && state_ == State::kOpen) codec_->drain();
}

// Pool::give() has taken its place.
void ClientConnection::attach(Exchange& exchange) {
  exchange.connection_ = this;
  exchange.received_before_ = connection_.bytesReceived();
  exchange.stream_ = 0;
  exchange.unconsumed_ = 0;
  exchange.full_credit_ = 0;
  exchange.started_ = exchange.request_ended_ = exchange.response_ended_ = false;
  exchange.maybe_unseen_ = exchange.told_unsent_ = false;
  request_ended_ = false;
  busy_ = !multiplexed_;
  ++active_;
  ++pool_.running_;
  ++requests_;
  exchanges_.pushBack(exchange);
}

void ClientConnection::detach(Exchange& exchange) {
  endRequest(pool_.context_, pool_.host_stats_, pool_.priority_);
  unhold(exchange);
  exchange.maybe_unseen_ = requests_ > 1 && connection_.bytesReceived() == exchange.received_before_;
  exchange.connection_ = nullptr;
  exchange.unlink();
  --active_;
  --pool_.running_;
  if (multiplexed_ && exchange.started_) streams_->erase(exchange.stream_);
}

Exchange* ClientConnection::find(http::StreamId stream) {
  if (!multiplexed_) return exchanges_.empty() ? nullptr : &exchanges_.front();
  const auto at = streams_->find(stream);
  return at == streams_->end() ? nullptr : at->second;
}

void ClientConnection::beginUpgrade(Exchange& exchange) {
  using Upgrades = http::ClientCodec::Upgrades;
  const Upgrades upgrades = codec_->upgrades();
  if (upgrades == Upgrades::kUnknown) return hold(exchange);
  unhold(exchange);
  if (upgrades == Upgrades::kTaken) return exchange.user_.onReady();
  detach(exchange);
  // The host chose HTTP/2 where it could have had HTTP/1.1, which knows upgrades.
  if (pool_.key_.protocol == cluster::UpstreamProtocol::kAuto)
    return pool_.http1().request(exchange, {.upgrade = true});
  exchange.user_.onFailure(Failure::kUpgradeRefused,
                           "the host takes no upgrades over HTTP/2: its SETTINGS lack ENABLE_CONNECT_PROTOCOL");
}

void ClientConnection::hold(Exchange& exchange) {
  if (std::exchange(exchange.held_, true)) return;
  if (held_++ == 0) timer_.arm(pool_.context_.config->connect_timeout);
}

void ClientConnection::unhold(Exchange& exchange) {
  if (std::exchange(exchange.held_, false) && --held_ == 0) timer_.cancel();
}

// There is one.
Exchange& ClientConnection::firstHeld() {
  Exchange* first = nullptr;
  exchanges_.forEach([&first](Exchange& exchange) {
    if (first == nullptr && exchange.held_) first = &exchange;
  });
  return *first;
}

void ClientConnection::tunnelOver(Exchange& exchange) {
  detach(exchange);
  multiplexed_ ? giveRoom() : closeFlushed();
}

// A stream is free again. Who waits is served from the loop: this is another's call.
void ClientConnection::giveRoom() {
  if (receiving_) return;  // settle() follows
  if (!pool_.waiting_.empty()) pool_.context_.loop.atTurnEnd(pool_);
  pool_.place(*this);
}

// Closes once everything is out, or the host takes nothing any more.
void ClientConnection::closeFlushed() {
  connection_.flush();
  const uint64_t sent = connection_.bytesSent();
  const bool stuck = flushing_ && sent == sent_before_;
  if (connection_.pendingBytes() == 0 || stuck) {
    busy_ = false;
    return pool_.closeConnection(*this);
  }
  flushing_ = true;
  sent_before_ = sent;
  timer_.arm(kFlushPatience);
}

// (stats: upstream_cx_tx_bytes_total)
void ClientConnection::countSent() {
  const uint64_t sent = connection_.bytesSent();
  pool_.context_.cells.add(pool_.context_.stats.cx_tx_bytes_total, sent - std::exchange(counted_sent_, sent));
}

// What went through a tunnel has no end but that of the connection: the host must see that it was cut short.
void ClientConnection::closeBroken() {
  connection_.resetBehind();
  if (!connection_.open()) pool_.closeConnection(*this);  // else onBroken follows
}

// Who hears the next event. The end of a response is the last one, whatever the peer still sends, but in a tunnel.
Exchange* ClientConnection::take(http::StreamId stream, bool end_stream) {
  Exchange* exchange = find(stream);
  if (!end_stream || exchange == nullptr) return exchange;
  if (!exchange->request_ended_ && codec_->tunnelling(stream)) {
    exchange->response_ended_ = true;
    return exchange;
  }
  // An early answer: the rest of the request is not wanted.
  if (multiplexed_ && !exchange->request_ended_) codec_->reset(stream, ResetReason::kLocal);
  detach(*exchange);
  return exchange;
}

size_t ClientConnection::readCredit() {
  // A free connection reads too: to see its peer's end at once, and bytes that nobody asked for. Streams that share one
  // are held back by their windows.
  if (multiplexed_ || exchanges_.empty()) return net::WorkerBuffers::kReadSize;
  return exchanges_.front().user_.responseCredit();
}

void ClientConnection::onBytes(std::string_view bytes) {
  pool_.context_.cells.add(pool_.context_.stats.cx_rx_bytes_total, bytes.size());
  if (multiplexed_) {
    heard_at_ = pool_.context_.loop.now();
    codec_->tellTime(heard_at_);
  }
  countSent();
  receiving_ = true;
  const std::optional<http::ProtocolError> error = codec_->receive(bytes);
  receiving_ = false;
  if (state_ == State::kDead) return;
  if (error) {
    pool_.context_.cells.add(pool_.context_.stats.cx_protocol_error);
    return fail(ResetReason::kProtocolError, error->detail);
  }
  settle();
}

// After the codec has taken a batch of bytes.
void ClientConnection::settle() {
  if (multiplexed_) {
    if (!codec_->reusable()) retired_ = true;
    while (held_ > 0 && codec_->upgrades() != http::ClientCodec::Upgrades::kUnknown) beginUpgrade(firstHeld());
    return pool_.connectionReady(*this);
  }
  if (!busy_ || active_ > 0) return;
  busy_ = false;
  // An upgrade that was refused was its head: none of its bytes went out, so the next request may follow.
  if (!codec_->reusable()) return pool_.closeConnection(*this);
  pool_.connectionReady(*this);
}

void ClientConnection::onPeerEnd() {
  std::string_view detail = "upstream_connection_closed";
  // What its end alone delimits may have been cut short.
  if (!connection_.truncated() && codec_) {
    receiving_ = true;
    if (const std::optional<http::ProtocolError> error = codec_->receiveEnd()) detail = error->detail;
    receiving_ = false;
  }
  if (state_ == State::kDead) return;
  if (!multiplexed_ && !connection_.truncated()) {
    if (exchanges_.empty() && request_ended_) return closeFlushed();
    if (!exchanges_.empty() && exchanges_.front().response_ended_) return;  // our side of the tunnel goes on
  }
  fail(ResetReason::kConnectionEnded, detail);
}

void ClientConnection::onBroken(net::CloseReason reason, int error) {
  if (state_ != State::kConnecting) return fail(ResetReason::kConnectionEnded, "upstream_connection_reset");
  pool_.context_.cells.add(pool_.context_.stats.cx_connect_fail);
  pool_.host_stats_.add(HostStat::kCxConnectFail);
  std::string text = strerror(error);
  if (reason == net::CloseReason::kHandshakeFailed && !connection_.transport()->failure().empty()) {
    text = connection_.transport()->failure();
    const bool of_tls = connection_.transport()->secure();
    if (of_tls && text.rfind("TLS_error", 0) != 0) text.insert(0, "TLS_error:");
  }
  pool_.connectionGone(*this, Failure::kConnectFailed, text);
}

void ClientConnection::fail(ResetReason reason, std::string_view detail) {
  pool_.closeConnection(*this);
  while (!exchanges_.empty()) {
    Exchange& exchange = exchanges_.front();
    detach(exchange);
    exchange.user_.onResponseReset(reason, detail);
  }
}

void ClientConnection::onDrained() {
  countSent();
  if (!multiplexed_) {
    if (flushing_) return closeFlushed();
    if (!exchanges_.empty()) exchanges_.front().user_.onRequestBytesSent();
    return;
  }
  // What one hears may end others: each is told once, and looked up again.
  std::vector<http::StreamId> streams;
  exchanges_.forEach([&streams](Exchange& exchange) {
    if (exchange.told_unsent_ && exchange.started_) streams.push_back(exchange.stream_);
  });
  for (const http::StreamId stream : streams) onSendProgress(stream);
}

void ClientConnection::openWindow(Exchange& exchange) {
  const size_t credit = exchange.user_.responseCredit();
  exchange.full_credit_ = std::max(exchange.full_credit_, credit);
  if (credit == 0 || exchange.unconsumed_ == 0) return;
  const size_t window = pool_.context_.config->http.http2.initial_stream_window;
  // The user still holds this much: it is what keeps the window closed. One that has room for more than is open, as it
  // collects more than a window, or did so before, gets that.
  const size_t held = exchange.full_credit_ - credit;
  const size_t wanted = std::max(std::min(window, credit), window - std::min(window, held));
  const size_t open = window - std::min<size_t>(window, exchange.unconsumed_);
  if (wanted <= open) return;
  const size_t consumed = wanted - open;
  exchange.unconsumed_ -= static_cast<uint32_t>(consumed);
  codec_->consumed(exchange.stream_, consumed);
}

// --- events of the codec

http::ResponseHeaders& ClientConnection::beginResponse(http::StreamId stream) {
  return find(stream)->user_.beginResponse();
}

void ClientConnection::onInformational(http::StreamId stream) {
  if (Exchange* exchange = find(stream)) exchange->user_.onInformational();
}

void ClientConnection::onResponseHeaders(http::StreamId stream, bool end_stream) {
  if (Exchange* exchange = take(stream, end_stream)) exchange->user_.onResponseHeaders(end_stream);
}

void ClientConnection::onResponseData(http::StreamId stream, std::string_view data, bool end_stream) {
  Exchange* exchange = take(stream, end_stream);
  if (exchange == nullptr) return;
  if (multiplexed_ && !end_stream) {
    exchange->full_credit_ = std::max(exchange->full_credit_, exchange->user_.responseCredit());
    exchange->unconsumed_ += static_cast<uint32_t>(data.size());
  }
  exchange->user_.onResponseData(data, end_stream);
  if (!multiplexed_ || end_stream || state_ == State::kDead) return;
  if (find(stream) == exchange) openWindow(*exchange);
}

http::Trailers& ClientConnection::beginResponseTrailers(http::StreamId stream) {
  return find(stream)->user_.beginResponseTrailers();
}

void ClientConnection::onResponseTrailers(http::StreamId stream) {
  if (Exchange* exchange = take(stream, true)) exchange->user_.onResponseTrailers();
}

void ClientConnection::onResponseReset(http::StreamId stream, ResetReason reason) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) return;
  detach(*exchange);
  exchange->user_.onResponseReset(reason, "upstream_stream_reset");
}

void ClientConnection::onSendProgress(http::StreamId stream) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) return;
  exchange->told_unsent_ = false;
  exchange->user_.onRequestBytesSent();
}

void ClientConnection::onCapacityChanged() {
  if (!receiving_) settle();
}

}  // namespace sluice::upstream::pool
