#include "source/session/connection.h"

#include <algorithm>

#include "source/base/text.h"
#include "source/stream/format_context.h"

namespace sluice::session {

using stream::ResponseFlag;

namespace {

// How long a client may take nothing of the last answer before the connection is cut.
constexpr milliseconds kFlushPatience{10'000};
// From how long a silence on the connection counts as a pause.
constexpr milliseconds kPause{1000};
// For a transport's handshake, unless the listener says otherwise.
constexpr milliseconds kHandshakePatience{10'000};
// How a client begins that knows that we speak HTTP/2 (RFC 9113 section 3.4); enough of it to tell it from HTTP/1.
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0";

// Up to `part` of it more.
milliseconds withJitter(milliseconds time, double part, base::Random& random) {
  const auto most = static_cast<uint64_t>(static_cast<double>(time.count()) * part);
  return most == 0 ? time : time + milliseconds(random.below(most + 1));
}

}  // namespace

Connection& Connection::start(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings,
                              filter::Accepted accepted, base::List<filter::LiveConnection>& list, CodecMakers makers) {
  auto* connection = new Connection(worker, std::move(settings), std::move(accepted), makers);
  list.pushBack(*connection);
  if (connection->connection_.transport() == nullptr) connection->admit();
  return *connection;
}

Connection::Connection(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, filter::Accepted accepted,
                       CodecMakers makers)
    : worker_(worker),
      settings_(std::move(settings)),
      id_(++worker.services.next_connection_id),
      state_(accepted.state),
      chain_(filter::NetworkChain::make(accepted, worker.services, *this)),
      connection_(worker.loop, worker.services.buffers, std::move(accepted.fd), net::Connection::Mode::kAccepted, *this,
                  std::move(accepted.transport)),
      makers_(makers),
      server_name_(std::move(accepted.server_name)),
      guard_(std::move(accepted.guard)),
      chosen_chain_(accepted.chosen_chain),
      timer_(worker.loop.timers(), [this] { onTimer(); }),
      born_(worker.loop.now()),
      buffer_limit_(accepted.buffer_limit) {
  const std::string remote = accepted.remote.toString();
  const std::string local = accepted.local.toString();
  const std::string direct = accepted.direct_remote == accepted.remote ? "" : accepted.direct_remote.toString();
  peer_.redirected = !(accepted.local == accepted.direct_local);
  const std::string direct_local = peer_.redirected ? accepted.direct_local.toString() : "";
  addresses_ = base::strCat(remote, local, direct, direct_local);
  const std::string_view texts = addresses_;
  peer_.remote = texts.substr(0, remote.size());
  peer_.local = texts.substr(remote.size(), local.size());
  peer_.direct_remote = direct.empty() ? peer_.remote : texts.substr(remote.size() + local.size(), direct.size());
  facts_.remote_address = peer_.remote;
  facts_.direct_local_address = peer_.redirected ? texts.substr(texts.size() - direct_local.size()) : peer_.local;
  facts_.fingerprints = std::move(accepted.fingerprints);
  facts_.connection = &connection_;
  peer_.local_port = accepted.local.port();
  peer_.transport = connection_.transport();
  peer_.internal_hops = accepted.internal_hops;
  const std::optional<InternalAddresses>& internal = settings_->internal_addresses;
  peer_.near = internal ? internal->contains(accepted.remote) : accepted.remote.isInternal();
  if (accepted.remote.isIp()) {
    std::string_view ip = peer_.remote;
    ip = ip.substr(0, ip.rfind(':'));
    if (!ip.empty() && ip.front() == '[') ip = ip.substr(1, ip.size() - 2);
    peer_.remote_ip = ip;
  }
  if (const milliseconds longest = settings_->max_connection_duration; longest.count() > 0) {
    old_at_ = born_ + withJitter(longest, settings_->max_connection_duration_jitter, worker_.services.random);
  }
  worker_.cells.add(settings_->stats.cx_total);
  worker_.cells.add(settings_->stats.cx_active);
  if (const net::Transport* transport = connection_.transport(); transport != nullptr) {
    peer_.trusted_tls = transport->secure();
    if (peer_.trusted_tls) {
      worker_.cells.add(settings_->stats.cx_ssl_total);
      worker_.cells.add(settings_->stats.cx_ssl_active);
    }
    timer_.arm(accepted.transport_timeout.count() > 0 ? accepted.transport_timeout : kHandshakePatience);
    return;
  }
  if (settings_->codec_type != CodecType::kAuto) chooseCodec(settings_->codec_type == CodecType::kHttp2);
  armIdle();
}

Connection::~Connection() = default;

// --- which codec

bool Connection::admit() {
  if (!chain_ || chain_->admit(connection_.transport())) return true;
  ending_ = lingering_ = true;  // what comes meanwhile is dropped
  timer_.cancel();
  return false;
}

void Connection::onConnected() {
  if (!admit()) return;
  const net::Transport& transport = *connection_.transport();
  if (transport.secure()) facts_.handshake = worker_.loop.now() - born_;
  if (const std::string_view name = transport.serverName(); !name.empty()) server_name_ = name;
  const std::string_view protocol = transport.applicationProtocol();
  if (settings_->codec_type != CodecType::kAuto) {
    chooseCodec(settings_->codec_type == CodecType::kHttp2);
  } else if (!protocol.empty()) {
    chooseCodec(protocol == "h2");
  }
  armIdle();
}

void Connection::chooseCodec(bool http2) {
  const HttpStats& stats = settings_->stats;
  if (http2 && makers_.http2 != nullptr) {
    codec_ = makers_.http2(*this, connection_, settings_->codec_limits, settings_->http2);
    worker_.cells.add(stats.cx_http2_total);
    worker_.cells.add(stats.cx_http2_active);
  } else {
    codec_ = makers_.http1(*this, connection_, settings_->codec_limits);
    worker_.cells.add(stats.cx_http1_total);
    worker_.cells.add(stats.cx_http1_active);
  }
  if (codec_->multiplexed()) {
    multiplexing_ = std::make_unique<Multiplexing>(worker_.loop.timers(), *this);
    if (settings_->keepalive_interval.count() > 0) armKeepalive();
    if (settings_->max_connection_duration.count() > 0) multiplexing_->life.armAt(old_at_);
  }
  if (!draining_) return;
  codec_->drain();
  if (multiplexing_) armLastStream();
}

// nullopt: more bytes are needed.
std::optional<bool> Connection::seemsHttp2(std::string_view bytes) {
  const std::string_view begin = bytes.substr(0, kHttp2Preface.size());
  if (!kHttp2Preface.starts_with(begin)) return false;
  if (begin.size() < kHttp2Preface.size()) return std::nullopt;
  return true;
}

void Connection::armKeepalive() {
  const milliseconds interval = settings_->keepalive_interval;
  const uint64_t jitter = interval.count() * settings_->keepalive_jitter_percent / 100;
  multiplexing_->pinged = false;
  multiplexing_->keepalive.arm(interval + milliseconds(jitter > 0 ? worker_.services.random.next() % jitter : 0));
}

void Connection::onKeepalive() {
  if (dead_ || ending_) return;
  if (!multiplexing_->pinged) {
    multiplexing_->pinged = true;
    multiplexing_->received_before = connection_.bytesReceived();
    multiplexing_->sent_before = connection_.bytesSent();
    codec_->ping();
    return multiplexing_->keepalive.arm(settings_->keepalive_timeout);
  }
  // A client that sends anything is alive, and so is one that slowly takes what stands in front of the ping.
  const bool silent = connection_.bytesReceived() == multiplexing_->received_before &&
                      (connection_.bytesSent() == multiplexing_->sent_before || connection_.pendingBytes() == 0);
  if (!codec_->awaitingPing() || !silent) return armKeepalive();
  worker_.cells.add(settings_->stats.cx_keepalive_timeout);
  abortStreams("http2.ping_timeout", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

// --- reading

size_t Connection::readCredit() {
  if (ending_) return net::WorkerBuffers::kReadSize;  // read and dropped
  if (codec_ == nullptr) return net::WorkerBuffers::kReadSize;
  if (codec_->inputBlocked()) return 0;
  if (multiplexing_ == nullptr && !streams_.empty()) return streams_.front().requestCredit();
  if (!mayBegin()) {
    stopHeadClock();
    return 0;
  }
  if (head_clock_stopped_) goOnWithHeadClock();
  return net::WorkerBuffers::kReadSize;
}

// The client has sent something, and takes so little of its answers that it is not read: that is no time of its head.
void Connection::stopHeadClock() {
  if (std::exchange(head_clock_stopped_, true)) return;
  const event::TimePoint now = worker_.loop.now();
  if (multiplexing_ && multiplexing_->block.armed()) {
    multiplexing_->block_left = multiplexing_->block.deadline() - now;
    multiplexing_->block.cancel();
  }
  if (!head_timed_ || !timer_.armed()) return;
  head_left_ = timer_.deadline() - now;
  if (const milliseconds idle = idleTimeout(); idle.count() > 0) {
    timer_.arm(idle);
  } else {
    timer_.cancel();
  }
}

void Connection::goOnWithHeadClock() {
  head_clock_stopped_ = false;
  if (multiplexing_) {
    const auto left = std::exchange(multiplexing_->block_left, std::nullopt);
    if (left && multiplexing_->in_block && !multiplexing_->block.armed()) multiplexing_->block.arm(*left);
  }
  const auto left = std::exchange(head_left_, std::nullopt);
  if (left && head_timed_) timer_.arm(*left);
}

void Connection::onBytes(std::string_view bytes) {
  worker_.cells.add(settings_->stats.cx_rx_bytes_total, bytes.size());
  if (ending_) return;
  if (codec_ == nullptr) {
    std::string begun = std::exchange(first_bytes_, {});  // a client that sends its preface byte by byte
    if (!begun.empty()) {
      begun.append(bytes);
      bytes = begun;
    }
    const std::optional<bool> http2 = seemsHttp2(bytes);
    if (!http2) {
      first_bytes_ = bytes;
      return afterInput();
    }
    chooseCodec(*http2);
    return receive(bytes);
  }
  receive(bytes);
}

void Connection::receive(std::string_view bytes) {
  if (multiplexing_) codec_->tellTime(worker_.loop.now());
  if (const std::optional<http::ProtocolError> error = codec_->receive(bytes)) return protocolError(*error);
  afterInput();
}

void Connection::afterInput() {
  if (dead_ || ending_) return abortStreams("connection_closed", ResponseFlag::kLocalReset);  // begun behind the end
  if (invalid_message_) return protocolError({400, "http2.violation.of.messaging.rule"});
  if (codec_ && codec_->shouldClose() && streams_.empty()) return closeAfterFlush(multiplexing_ != nullptr);
  if (multiplexing_) {
    watchBlock();
    if (multiplexing_->may_linger) watchLingering();
  }
  if (!streams_.empty()) {
    timer_.cancel();
  } else if (bufferedBytes() == 0) {
    armIdle();
  } else if (settings_->request_headers_timeout.count() > 0 && !head_timed_) {
    head_timed_ = true;
    timer_.arm(settings_->request_headers_timeout);
  }
}

// A head that comes beside other streams, or whose own has begun with it, has its time as well.
// (proto: HttpConnectionManager.request_headers_timeout, else stream_idle_timeout)
void Connection::watchBlock() {
  const bool in_block = codec_->bufferedBytes() > 0;
  if (in_block == multiplexing_->in_block) return;
  multiplexing_->in_block = in_block;
  multiplexing_->block_left.reset();
  if (!in_block) return multiplexing_->block.cancel();
  const milliseconds of_heads = settings_->request_headers_timeout;
  const milliseconds timeout = of_heads.count() > 0 ? of_heads : settings_->stream_idle_timeout;
  multiplexing_->block_begun_at = requests_;
  if (timeout.count() > 0) multiplexing_->block.arm(timeout);
}

void Connection::onSilentBlock() {
  if (dead_ || ending_) return;
  multiplexing_->in_block = false;
  if (multiplexing_->block_begun_at != requests_) return watchBlock();  // it is another one by now
  worker_.cells.add(settings_->stats.rq_header_timeout);
  refuse({408, "request_header_timeout"});
}

// A client may send for delayed_close_timeout what is left of requests that were answered (twice as long, where others
// linger already).
void Connection::watchLingering() {
  if (dead_ || ending_ || multiplexing_->lingering.armed()) return;
  const milliseconds time = settings_->delayed_close_timeout;
  if (codec_->endLingering(time.count() == 0)) {
    multiplexing_->lingering.arm(time);
  } else {
    multiplexing_->may_linger = !codec_->idle();  // the end of an answer may wait for its window
  }
}

void Connection::armIdle() {
  idle_since_ = worker_.loop.now();
  head_timed_ = false;
  head_left_.reset();
  if (const milliseconds timeout = idleTimeout(); timeout.count() > 0) {
    timer_.arm(timeout);
  } else {
    timer_.cancel();
  }
}

// 0: none.
milliseconds Connection::idleTimeout() const {
  const auto shorter = [](milliseconds a, milliseconds b) { return a.count() > 0 ? std::min(a, b) : b; };
  const milliseconds idle = settings_->idle_timeout;
  if (multiplexing_ == nullptr) {
    if (!settings_->closes_old_idle || old_at_ == event::TimePoint::max()) return idle;
    const auto left = std::chrono::ceil<milliseconds>(old_at_ + settings_->drain_timeout - idle_since_);
    return shorter(idle, std::max(left, milliseconds(1)));
  }
  // The client holds back the ends of answers by its windows: that is a silence of streams.
  if (codec_->idle() || bufferedBytes() > 0) return idle;
  const milliseconds flush =
      multiplexing_->flush_of_route.value_or(settings_->stream_flush_timeout.value_or(settings_->stream_idle_timeout));
  return flush.count() > 0 ? shorter(idle, flush) : idle;
}

void Connection::onTimer() {
  if (ending_) {
    if (lingering_ || connection_.bytesSent() == sent_before_) return destroy();
    sent_before_ = connection_.bytesSent();  // slow, but it goes on
    return timer_.arm(kFlushPatience);
  }
  if (connection_.connecting()) {
    if (chain_ && chain_->asking()) return;
    worker_.cells.add(settings_->stats.cx_transport_timeout);
    logFailedHandshake("transport handshake timeout");
    return destroy();
  }
  if (!streams_.empty()) return;
  if (bufferedBytes() > 0 && !head_clock_stopped_) {  // the head did not come in time
    worker_.cells.add(settings_->stats.rq_header_timeout);
    if (codec_ == nullptr) chooseCodec(false);
    return refuse({408, "request_header_timeout"});
  }
  const bool old = settings_->closes_old_idle && multiplexing_ == nullptr && worker_.loop.now() >= old_at_;
  worker_.cells.add(old ? settings_->stats.cx_max_duration_reached : settings_->stats.cx_idle_timeout);
  if (multiplexing_ == nullptr) return closeAfterFlush(false);
  codec_->drain();  // a request that is on its way can be sent again
  closeAfterFlush(true);
}

void Connection::onPeerEnd() {
  if (dead_) return;
  peer_ended_ = true;
  if (ending_) {
    if (lingering_ || connection_.pendingBytes() == 0) destroy();
    return;
  }
  if (codec_ == nullptr) return destroy();
  (void)codec_->receiveEnd();
  if (dead_ || ending_) return;
  // The client's side of a tunnel is over, the other goes on.
  if (multiplexing_ == nullptr && !streams_.empty() && streams_.front().inTunnel() && !connection_.truncated()) return;
  // A client that is gone wants no answer: what runs for it is cancelled. What it was answered before still goes out.
  ending_ = true;
  facts_.close = stream::DownstreamFacts::Close::kNormal;
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  closeAfterFlush(false);
}

// Nobody is there any more for the answers, but what a tunnel was given goes on to its host.
bool Connection::dropsUnread(bool) {
  return multiplexing_ != nullptr || streams_.empty() || !streams_.front().inTunnel();
}

void Connection::onBroken(net::CloseReason reason, int) {
  if (reason == net::CloseReason::kHandshakeFailed) {
    worker_.cells.add(settings_->stats.cx_transport_failed);
    logFailedHandshake(connection_.transport()->failure());
  }
  if (reason == net::CloseReason::kReset) facts_.close = stream::DownstreamFacts::Close::kRemoteReset;
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

// An entry of its own in the access log: there is no request that could tell.
void Connection::logFailedHandshake(std::string_view why) {
  if (settings_->access_logs.empty()) return;
  stream::StreamInfo info;
  info.start = born_;
  info.start_time = std::chrono::system_clock::now();
  info.response_end = info.since(worker_.loop.now());
  info.connection_id = id_;
  info.downstream_remote_address = peer_.remote;
  info.downstream_direct_remote_address = peer_.direct_remote;
  info.downstream_local_address = peer_.local;
  const std::string_view asked_name = connection_.transport()->serverName();
  info.requested_server_name = asked_name.empty() ? std::string_view(server_name_) : asked_name;
  info.downstream = &facts_;
  info.listener_name = settings_->listener_name;
  info.filter_chain_name = settings_->filter_chain_name;
  info.listener_metadata = settings_->listener_metadata.get();
  info.response_flags.set(ResponseFlag::kDownstreamConnectionTermination);
  info.connection_termination_details = info.downstream_transport_failure_reason = why;
  const stream::FormatContext context{.info = info, .type = stream::AccessLogType::kDownstreamEnd};
  for (const auto& log : settings_->access_logs) log->log(context, worker_.services);
}

// (stats: downstream_cx_tx_bytes_total) What waits for the kernel counts before the end, so that an idle connection has
// told all.
void Connection::countSent(uint64_t sent) {
  if (sent <= counted_sent_) return;
  worker_.cells.add(settings_->stats.cx_tx_bytes_total, sent - counted_sent_);
  counted_sent_ = sent;
}

void Connection::onDrained() {
  countSent(connection_.bytesSent());
  if (ending_) {
    if (!lingering_) closeAfterFlush(true);
    return;
  }
  // A stream may end meanwhile, and the connection with it; then those that are left come up twice at worst.
  for (size_t left = multiplexing_ ? multiplexing_->by_id.size() : 1; left > 0 && !streams_.empty(); --left) {
    Stream& stream = streams_.front();
    streams_.pushBack(stream);
    stream.drained();
  }
  if (streams_.empty() && bufferedBytes() > 0) worker_.loop.atTurnEnd(*this);  // requests that were held back
  connection_.resumeReading();
}

// --- codec events

Stream* Connection::find(http::StreamId id) {
  if (multiplexing_) {
    const auto found = multiplexing_->by_id.find(id);
    return found == multiplexing_->by_id.end() ? nullptr : found->second;
  }
  return streams_.empty() || streams_.front().id() != id ? nullptr : &streams_.front();
}

http::RequestHeaders& Connection::beginRequest(http::StreamId id) {
  // After a pause the peer's window is small again, and so are a transport's first records.
  if (streams_.empty() && worker_.loop.now() - idle_since_ > kPause) connection_.idle();
  timer_.cancel();
  head_timed_ = false;
  ++requests_;
  Stream* stream = worker_.takeStream();
  streams_.pushFront(*stream);
  if (multiplexing_) multiplexing_->by_id.insert_or_assign(id, stream);
  stream->begin(*this, id);
  return stream->request();
}

void Connection::onRequestHeaders(http::StreamId id, bool end_stream, bool expect_continue) {
  if (dead_ || ending_) return;  // afterInput takes it back
  if (Stream* stream = find(id)) stream->requestHeaders(end_stream, expect_continue);
}

void Connection::onRequestData(http::StreamId id, std::string_view data, bool end_stream) {
  if (Stream* stream = find(id)) stream->requestData(data, end_stream);
}

http::Trailers& Connection::beginRequestTrailers(http::StreamId id) {
  if (Stream* stream = find(id)) return stream->requestTrailers();
  if (!dropped_trailers_) dropped_trailers_ = std::make_unique<DroppedTrailers>();
  dropped_trailers_->trailers.clear();
  return dropped_trailers_->trailers;
}

void Connection::onRequestTrailers(http::StreamId id) {
  if (Stream* stream = find(id)) stream->endWithTrailers();
}

void Connection::onRequestReset(http::StreamId id, http::ResetReason reason) {
  worker_.cells.add(settings_->stats.rq_rx_reset);
  // Inside of the codec: afterInput() ends the connection.
  invalid_message_ |= reason == http::ResetReason::kProtocolError && settings_->ends_at_invalid_message;
  Stream* stream = find(id);
  if (stream == nullptr) return;
  if (reason == http::ResetReason::kProtocolError) {
    return stream->abort("http2.violation.of.messaging.rule", ResponseFlag::kDownstreamProtocolError, 0);
  }
  const bool refused = reason == http::ResetReason::kRefused;
  stream->abort(refused ? "http2.remote_refuse" : "http2.remote_reset", ResponseFlag::kDownstreamRemoteReset, 0);
}

void Connection::onSendProgress(http::StreamId id) {
  if (Stream* stream = find(id)) stream->drained();
}

void Connection::protocolError(const http::ProtocolError& error) {
  if (dead_ || ending_) return abortStreams(error.detail, ResponseFlag::kDownstreamProtocolError);
  worker_.cells.add(settings_->stats.cx_protocol_error);
  refuse(error);
}

// Answers what cannot be gone on with, and closes.
void Connection::refuse(const http::ProtocolError& error) {
  ending_ = true;  // the ends of the streams are not to close the connection before the answer is out
  abortStreams(error.detail, ResponseFlag::kDownstreamProtocolError, error.status);
  codec_->sendErrorReply(error);
  closeAfterFlush(true);
}

void Connection::abortStreams(std::string_view details, ResponseFlag flag, uint16_t status) {
  while (!streams_.empty()) streams_.front().abort(details, flag, status);
}

// --- the end of streams and of the connection

void Connection::streamFinished(Stream& stream, bool request_complete) {
  if (multiplexing_) {
    multiplexing_->by_id.erase(stream.id());
    multiplexing_->flush_of_route = stream.flushTimeout();
    if (!request_complete) multiplexing_->may_linger = true;
  }
  stream.unlink();
  worker_.retireStream(stream);
  countSent(connection_.bytesWritten());
  if (dead_ || ending_) return;
  // With one stream at a time the rest of its request would be in the way of the next.
  const bool cut = !request_complete && multiplexing_ == nullptr;
  if (codec_->shouldClose() || cut) {
    // Bytes may be on their way from a client that did not ask for the end.
    if (streams_.empty()) closeAfterFlush(cut || draining_ || multiplexing_ || connection_.unread());
    return;
  }
  if (multiplexing_ && multiplexing_->may_linger) watchLingering();
  if (!streams_.empty()) return;
  if (multiplexing_ && draining_) worker_.loop.atTurnEnd(*this);  // the codec may be through by then
  armIdle();
  // A pipelined request waits in the codec, or in the socket.
  if (codec_->bufferedBytes() > 0) worker_.loop.atTurnEnd(*this);
  connection_.resumeReading();
}

void Connection::replaceStream(Stream& stream, Stream& next) {
  if (multiplexing_) multiplexing_->by_id.insert_or_assign(stream.id(), &next);
  stream.unlink();
  streams_.pushFront(next);
  worker_.retireStream(stream);
}

void Connection::runAtTurnEnd() {
  if (dead_ || ending_ || codec_ == nullptr || codec_->inputBlocked()) return;
  if (multiplexing_ == nullptr && streams_.empty() && !mayBegin()) return;  // onDrained goes on
  if (const std::optional<http::ProtocolError> error = codec_->resumeInput()) return protocolError(*error);
  afterInput();
}

// Closes once everything is out. With `linger` (the peer may still be sending) the FIN goes first and the rest of its
// bytes is dropped for a while, because a close with unread bytes is a reset that could destroy the answer on its way.
void Connection::closeAfterFlush(bool linger) {
  if (dead_) return;
  ending_ = true;
  if (cut_) {
    timer_.cancel();
    connection_.resetBehind();
    if (!connection_.open()) destroy();
    return;  // else onBroken follows
  }
  if (multiplexing_) (void)codec_->endLingering(true);
  connection_.flush();
  if (chain_ && chain_->seesBytes()) connection_.shutdownWrites();  // the filters may have kept something for the end
  const milliseconds timeout = settings_->delayed_close_timeout;
  if (connection_.pendingBytes() > 0) {
    sent_before_ = connection_.bytesSent();
    timer_.arm(kFlushPatience);
    return;  // onDrained goes on
  }
  if (!linger || peer_ended_ || timeout.count() == 0) return destroy();
  lingering_ = true;
  connection_.shutdownWrites();
  timer_.arm(timeout);
  connection_.resumeReading();
}

bool Connection::misdirected(std::string_view authority) const {
  if (guard_ == nullptr || server_name_.empty()) return false;
  std::string host;
  for (const char c : authority.substr(0, authority.find(':', authority.rfind(']') + 1))) {
    host += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  }
  return host != server_name_ && guard_->misdirected(host, chosen_chain_);
}

void Connection::drain() {
  if (draining_) return;
  draining_ = true;
  if (codec_ == nullptr) return;
  codec_->drain();
  if (!multiplexing_) return;
  armLastStream();
  worker_.loop.atTurnEnd(*this);
}

void Connection::armLastStream() {
  multiplexing_->life.arm(
      withJitter(settings_->drain_timeout, settings_->drain_timeout_jitter, worker_.services.random));
}

void Connection::onLife() {
  if (!draining_) return drainIfTooOld();
  if (dead_ || ending_) return;
  codec_->drain();  // the client has not shown that it saw the notice
  worker_.loop.atTurnEnd(*this);
}

// max_connection_duration: checked when an answer can tell the client, so that an idle connection is not closed under a
// request on its way.
void Connection::drainIfTooOld() {
  if (dead_ || draining_ || worker_.loop.now() < old_at_) return;
  worker_.cells.add(settings_->stats.cx_max_duration_reached);
  drain();
}

bool Connection::closeNow(std::string_view details) {
  const bool busy = !streams_.empty();
  facts_.close = stream::DownstreamFacts::Close::kNormal;
  facts_.local_close_reason = details;
  abortStreams(details, ResponseFlag::kLocalReset);
  if (!dead_) connection_.flush();
  destroy();
  return busy;
}

void Connection::destroy() {
  if (dead_) return;
  dead_ = true;
  abortStreams("connection_closed", ResponseFlag::kLocalReset);
  countSent(connection_.bytesSent());
  worker_.cells.add(settings_->stats.cx_destroy);
  worker_.cells.sub(settings_->stats.cx_active);
  if (peer_.trusted_tls) worker_.cells.sub(settings_->stats.cx_ssl_active);
  if (codec_) worker_.cells.sub(multiplexing_ ? settings_->stats.cx_http2_active : settings_->stats.cx_http1_active);
  if (draining_) worker_.cells.add(settings_->stats.cx_drain_close);
  timer_.cancel();
  if (multiplexing_) {
    multiplexing_->keepalive.cancel();
    multiplexing_->life.cancel();
    multiplexing_->block.cancel();
    multiplexing_->lingering.cancel();
  }
  LiveConnection::unlink();
  TurnTask::unlink();
  connection_.close();
  if (chain_) chain_->end();
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::session
