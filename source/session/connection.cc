#include "source/session/connection.h"

namespace sluice::session {

using stream::ResponseFlag;

namespace {

// While so many bytes wait for a client that does not read, no further request of it is read.
constexpr size_t kMaxUnsent = 64 * 1024;
// How long a client may take nothing of the last answer before the connection is cut.
constexpr milliseconds kFlushPatience{10'000};

}  // namespace

Connection& Connection::start(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, net::Fd fd,
                              const net::Address& remote, const net::Address& local,
                              base::List<filter::LiveConnection>& list, MakeCodec make_codec) {
  auto* connection = new Connection(worker, std::move(settings), std::move(fd), remote, local, make_codec);
  list.pushBack(*connection);
  return *connection;
}

Connection::Connection(SessionWorker& worker, std::shared_ptr<const HttpSettings> settings, net::Fd fd,
                       const net::Address& remote, const net::Address& local, MakeCodec make_codec)
    : worker_(worker),
      settings_(std::move(settings)),
      remote_text_(remote.toString()),
      local_text_(local.toString()),
      id_(++worker.next_connection_id),
      connection_(worker.loop, worker.buffers, std::move(fd), net::Connection::Mode::kAccepted, *this),
      codec_(make_codec(*this, connection_, settings_->codec_limits)),
      timer_(worker.loop.timers(), [this] { onTimer(); }),
      born_(worker.loop.now()) {
  if (codec_->multiplexed()) by_id_ = std::make_unique<absl::flat_hash_map<http::StreamId, Stream*>>();
  peer_.remote = remote_text_;
  peer_.local = local_text_;
  peer_.local_port = local.port();
  if (remote.isIp()) {
    std::string_view ip = remote_text_;
    ip = ip.substr(0, ip.rfind(':'));
    if (!ip.empty() && ip.front() == '[') ip = ip.substr(1, ip.size() - 2);
    peer_.remote_ip = ip;
  }
  worker_.cells.add(settings_->stats.cx_total);
  worker_.cells.add(settings_->stats.cx_active);
  armIdle();
}

Connection::~Connection() = default;

// --- reading
// ----------------------------------------------------------------------------------------------------------

size_t Connection::readCredit() {
  if (ending_) return net::WorkerBuffers::kReadSize;  // read and dropped
  if (codec_->inputBlocked()) return 0;
  if (by_id_ == nullptr && !streams_.empty()) return streams_.front().requestCredit();
  return connection_.pendingBytes() >= kMaxUnsent ? 0 : net::WorkerBuffers::kReadSize;
}

void Connection::onBytes(std::string_view bytes) {
  worker_.cells.add(settings_->stats.cx_rx_bytes_total, bytes.size());
  if (ending_) return;
  if (const std::optional<http::ProtocolError> error = codec_->receive(bytes)) return protocolError(*error);
  afterInput();
}

void Connection::afterInput() {
  if (dead_ || ending_) return abortStreams("connection_closed", ResponseFlag::kLocalReset);  // begun behind the end
  if (codec_->shouldClose() && streams_.empty()) return closeAfterFlush(false);
  if (!streams_.empty()) {
    timer_.cancel();
  } else if (codec_->bufferedBytes() == 0) {
    armIdle();
  } else if (settings_->request_headers_timeout.count() > 0 && !head_timed_) {
    head_timed_ = true;
    timer_.arm(settings_->request_headers_timeout);
  }
}

void Connection::armIdle() {
  head_timed_ = false;
  if (settings_->idle_timeout.count() > 0) {
    timer_.arm(settings_->idle_timeout);
  } else {
    timer_.cancel();
  }
}

void Connection::onTimer() {
  if (ending_) {
    if (lingering_ || connection_.bytesSent() == sent_before_) return destroy();
    sent_before_ = connection_.bytesSent();  // slow, but it goes on
    return timer_.arm(kFlushPatience);
  }
  if (!streams_.empty()) return;
  if (codec_->bufferedBytes() > 0) {  // the head did not come in time
    worker_.cells.add(settings_->stats.rq_header_timeout);
    return refuse({408, "request_header_timeout"});
  }
  worker_.cells.add(settings_->stats.cx_idle_timeout);
  destroy();
}

void Connection::onPeerEnd() {
  if (dead_) return;
  peer_ended_ = true;
  if (ending_) {
    if (lingering_ || connection_.pendingBytes() == 0) destroy();
    return;
  }
  (void)codec_->receiveEnd();
  // A client that is gone wants no answer: what runs for it is cancelled. What it was answered before still goes out.
  if (streams_.empty()) return closeAfterFlush(false);
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

void Connection::onBroken(net::CloseReason, int) {
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

void Connection::onDrained() {
  if (ending_) {
    if (!lingering_) closeAfterFlush(true);
    return;
  }
  // A stream may end meanwhile, and the connection with it; then those that are left come up twice at worst.
  for (size_t left = by_id_ ? by_id_->size() : 1; left > 0 && !streams_.empty(); --left) {
    Stream& stream = streams_.front();
    streams_.pushBack(stream);
    stream.drained();
  }
  connection_.resumeReading();
}

// --- codec events
// -----------------------------------------------------------------------------------------------------

Stream* Connection::find(http::StreamId id) {
  if (by_id_) {
    const auto found = by_id_->find(id);
    return found == by_id_->end() ? nullptr : found->second;
  }
  return streams_.empty() || streams_.front().id() != id ? nullptr : &streams_.front();
}

http::RequestHeaders& Connection::beginRequest(http::StreamId id) {
  timer_.cancel();
  head_timed_ = false;
  ++requests_;
  Stream* stream = worker_.takeStream();
  streams_.pushFront(*stream);
  if (by_id_) by_id_->insert_or_assign(id, stream);
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

void Connection::onRequestReset(http::StreamId id, http::ResetReason) {
  worker_.cells.add(settings_->stats.rq_rx_reset);
  if (Stream* stream = find(id)) stream->abort("http.remote_reset", ResponseFlag::kDownstreamRemoteReset, 0);
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
// ---------------------------------------------------------------------------

void Connection::streamFinished(Stream& stream, bool request_complete) {
  if (by_id_) by_id_->erase(stream.id());
  stream.unlink();
  worker_.retireStream(stream);
  if (dead_ || ending_) return;
  // With one stream at a time the rest of its request would be in the way of the next.
  const bool cut = !request_complete && by_id_ == nullptr;
  if (codec_->shouldClose() || cut) {
    // Bytes may be on their way from a client that did not ask for the end.
    if (streams_.empty()) closeAfterFlush(cut || draining_ || connection_.unread());
    return;
  }
  if (!streams_.empty()) return;
  armIdle();
  // A pipelined request waits in the codec, or in the socket.
  if (codec_->bufferedBytes() > 0) worker_.loop.atTurnEnd(*this);
  connection_.resumeReading();
}

void Connection::runAtTurnEnd() {
  if (dead_ || ending_ || codec_->inputBlocked()) return;
  if (const std::optional<http::ProtocolError> error = codec_->resumeInput()) return protocolError(*error);
  afterInput();
}

// Closes once everything is out. With `linger` (the peer may still be sending) the FIN goes first and the rest of its
// bytes is dropped for a while, because a close with unread bytes is a reset that could destroy the answer on its way.
void Connection::closeAfterFlush(bool linger) {
  if (dead_) return;
  ending_ = true;
  connection_.flush();
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

void Connection::drain() {
  if (draining_) return;
  draining_ = true;
  codec_->drain();
}

// max_connection_duration: checked when an answer can tell the client, so that an idle connection is not closed under a
// request on its way.
void Connection::drainIfTooOld() {
  if (draining_ || worker_.loop.now() - born_ < settings_->max_connection_duration) return;
  worker_.cells.add(settings_->stats.cx_max_duration_reached);
  drain();
}

bool Connection::closeNow(std::string_view details) {
  const bool busy = !streams_.empty();
  abortStreams(details, ResponseFlag::kLocalReset);
  if (!dead_) connection_.flush();
  destroy();
  return busy;
}

void Connection::destroy() {
  if (dead_) return;
  dead_ = true;
  abortStreams("connection_closed", ResponseFlag::kLocalReset);
  worker_.cells.add(settings_->stats.cx_tx_bytes_total, connection_.bytesSent());
  worker_.cells.add(settings_->stats.cx_destroy);
  worker_.cells.sub(settings_->stats.cx_active);
  if (draining_) worker_.cells.add(settings_->stats.cx_drain_close);
  timer_.cancel();
  LiveConnection::unlink();
  TurnTask::unlink();
  connection_.close();
  worker_.loop.deleteLater(std::unique_ptr<event::Deferred>(this));
}

}  // namespace sluice::session
