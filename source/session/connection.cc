#include "source/session/connection.h"

namespace sluice::session {

using stream::ResponseFlag;

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
  if (!codec_->multiplexed() && !streams_.empty()) return streams_.front().requestCredit();
  return net::WorkerBuffers::kReadSize;
}

void Connection::onBytes(std::string_view bytes) {
  worker_.cells.add(settings_->stats.cx_rx_bytes_total, bytes.size());
  if (ending_) return;
  if (const std::optional<http::ProtocolError> error = codec_->receive(bytes)) return protocolError(*error);
  afterInput();
}

void Connection::afterInput() {
  if (dead_ || ending_) return;
  if (codec_->shouldClose() && streams_.empty()) return closeAfterFlush(false);
  if (!streams_.empty()) {
    timer_.cancel();
  } else if (codec_->bufferedBytes() == 0) {
    armIdle();
  } else if (settings_->request_headers_timeout.count() > 0 && !timer_.armed()) {
    timer_.arm(settings_->request_headers_timeout);
  }
}

void Connection::armIdle() {
  if (settings_->idle_timeout.count() > 0) timer_.arm(settings_->idle_timeout);
}

void Connection::onTimer() {
  if (lingering_ || ending_) return destroy();
  if (!streams_.empty()) return;
  if (codec_->bufferedBytes() > 0) {  // the head did not come in time
    worker_.cells.add(settings_->stats.rq_header_timeout);
    return protocolError({408, "request_header_timeout"});
  }
  worker_.cells.add(settings_->stats.cx_idle_timeout);
  destroy();
}

void Connection::onPeerEnd() {
  if (dead_) return;
  if (lingering_ || ending_) return destroy();
  (void)codec_->receiveEnd();
  // A client that is gone wants no answer: what runs for it is cancelled.
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

void Connection::onBroken(net::CloseReason, int) {
  abortStreams("downstream_remote_disconnect", ResponseFlag::kDownstreamConnectionTermination);
  destroy();
}

void Connection::onDrained() {
  if (ending_ && !lingering_) return closeAfterFlush(true);
  streams_.forEach([](Stream& stream) { stream.drained(); });
}

// --- codec events
// -----------------------------------------------------------------------------------------------------

Stream* Connection::find(http::StreamId id) {
  Stream* found = nullptr;
  streams_.forEach([&](Stream& stream) {
    if (stream.id() == id) found = &stream;
  });
  return found;
}

http::RequestHeaders& Connection::beginRequest(http::StreamId id) {
  timer_.cancel();
  ++requests_;
  Stream* stream = worker_.takeStream();
  streams_.pushFront(*stream);
  stream->begin(*this, id);
  return stream->request();
}

void Connection::onRequestHeaders(http::StreamId id, bool end_stream, bool expect_continue) {
  if (Stream* stream = find(id)) stream->requestHeaders(end_stream, expect_continue);
}

void Connection::onRequestData(http::StreamId id, std::string_view data, bool end_stream) {
  if (Stream* stream = find(id)) stream->requestData(data, end_stream);
}

http::Trailers& Connection::beginRequestTrailers(http::StreamId id) {
  // The codec asks only while the stream is open: it closes the connection when the response ends first.
  return static_cast<filter::Stream&>(*find(id)).requestTrailers();
}

void Connection::onRequestTrailers(http::StreamId id) {
  if (Stream* stream = find(id)) stream->endWithTrailers();
}

void Connection::onRequestReset(http::StreamId id, http::ResetReason) {
  worker_.cells.add(settings_->stats.rq_rx_reset);
  if (Stream* stream = find(id)) stream->abort("http.remote_reset", ResponseFlag::kDownstreamRemoteReset);
}

void Connection::protocolError(const http::ProtocolError& error) {
  if (dead_) return;
  worker_.cells.add(settings_->stats.cx_protocol_error);
  const bool answered = !streams_.empty() && streams_.front().responseStarted();
  ending_ = true;  // the end of a stream must not close the connection before the answer is out
  abortStreams(error.detail, ResponseFlag::kDownstreamProtocolError);
  if (dead_) return;
  if (!answered) codec_->sendErrorReply(error);
  closeAfterFlush(true);
}

void Connection::abortStreams(std::string_view details, ResponseFlag flag) {
  while (!streams_.empty()) streams_.front().abort(details, flag);
}

// --- the end of streams and of the connection
// ---------------------------------------------------------------------------

void Connection::streamFinished(Stream& stream, bool request_complete) {
  stream.unlink();
  worker_.retireStream(stream);
  if (dead_ || ending_) return;
  if (codec_->shouldClose() || !request_complete) {
    if (streams_.empty()) closeAfterFlush(!request_complete);
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
  if (dead_) return;
  const auto timeout = settings_->delayed_close_timeout;
  if (connection_.pendingBytes() > 0) {
    if (timeout.count() > 0) timer_.arm(timeout * 10);
    return;  // onDrained goes on
  }
  if (!linger || timeout.count() == 0) return destroy();
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

bool Connection::closeNow(std::string_view details) {
  const bool busy = !streams_.empty();
  abortStreams(details, ResponseFlag::kLocalReset);
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
