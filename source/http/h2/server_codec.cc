#include "source/http/h2/codec.h"
#include "source/http/h2/endpoint_codec.h"

namespace sluice::http::h2 {

namespace {

class Http2ServerCodec final : public EndpointCodec<ServerCodec> {
 public:
  Http2ServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits, const Http2Settings& settings)
      : EndpointCodec(Side::kServer, sink, limits, settings), events_(events) {}

  std::optional<ProtocolError> receiveEnd() override;
  bool inputBlocked() const override { return false; }
  std::optional<ProtocolError> resumeInput() override { return std::nullopt; }
  size_t bufferedBytes() const override { return inBlock() || !settled_ ? 1 : 0; }

  void sendInformational(StreamId stream, const ResponseHeaders& headers) override;
  void sendHeaders(StreamId stream, const ResponseHeaders& headers, bool end_stream) override;
  void reset(StreamId stream, ResetReason reason) override;
  void sendErrorReply(const ProtocolError& error) override;
  bool endLingering(bool all) override { return resetLingering(all); }

  void drain() override;
  bool shouldClose() const override;
  bool idle() const override { return openStreams() == 0; }

 private:
  enum class Drain : uint8_t { kNo, kNotice, kFinal };

  void notifyData(Stream& stream, std::string_view data, bool end) override;
  Trailers& notifyTrailersBegin(StreamId stream) override { return events_.beginRequestTrailers(stream); }
  void notifyTrailers(StreamId stream) override { events_.onRequestTrailers(stream); }
  void notifyReset(StreamId stream, ResetReason reason) override { events_.onRequestReset(stream, reason); }
  void notifyProgress(StreamId stream) override { events_.onSendProgress(stream); }
  void blockBegins(const nghttp2_frame& frame) override;
  void blockEnds(Stream& stream, bool end_stream) override;
  void settingsCame() override { settled_ = true; }
  void goawayCame() override { peer_leaves_ = true; }
  void pingAcked(uint64_t opaque) override;
  void goawaySent() override;
  void endSent(Stream& stream) override;

  void requestHead(Stream& stream, bool end_stream);
  void refuse(Stream& stream, uint16_t status);
  void finishDrain();

  ServerEvents& events_;
  RequestHeaders* request_ = nullptr;  // of the block that is read
  Drain drain_ = Drain::kNo;
  bool settled_ = false;  // the client's preface is whole
  bool peer_ended_ = false;
  bool peer_leaves_ = false;  // said GOAWAY: nghttp2 reads no more once no stream is left
};

std::optional<ProtocolError> Http2ServerCodec::receiveEnd() {
  peer_ended_ = true;
  return feedEnd();
}

void Http2ServerCodec::notifyData(Stream& stream, std::string_view data, bool end) {
  events_.onRequestData(stream.id, data, end);
}

void Http2ServerCodec::blockBegins(const nghttp2_frame& frame) {
  request_ = nullptr;
  const auto id = static_cast<StreamId>(frame.hd.stream_id);
  if (frame.headers.cat == NGHTTP2_HCAT_REQUEST) {
    Stream& stream = open(id);
    nghttp2_session_set_stream_user_data(session(), frame.hd.stream_id, &stream);
    // All streams share the connection's window by turns; what the client thinks of priorities is not heard.
    nghttp2_extpri turns{NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
    nghttp2_session_change_extpri_stream_priority(session(), frame.hd.stream_id, &turns, 1);
    stream.announced = true;
    request_ = &events_.beginRequest(id);
    head_reader_.startRequest(*request_, settings_.allow_connect && limits_.allow_upgrades);
    return;
  }
  beginTrailers(find(id), frame);
}

void Http2ServerCodec::blockEnds(Stream& stream, bool end_stream) {
  if (stream.in == Stream::In::kHead) {
    requestHead(stream, end_stream);
  } else {
    endTrailers(stream, !stream.connect && !stream.upgrade);
  }
}

void Http2ServerCodec::requestHead(Stream& stream, bool end_stream) {
  stream.in = end_stream ? Stream::In::kEnded : Stream::In::kBody;
  switch (head_reader_.finish()) {
    case HeadReader::Outcome::kGood:
      break;
    case HeadReader::Outcome::kMalformed:
      return failStream(stream);
    case HeadReader::Outcome::kTooLarge:
      return refuse(stream, 431);
    case HeadReader::Outcome::kUnknownExpectation:
      return refuse(stream, 417);
  }
  stream.has_length = head_reader_.hasLength();
  stream.length_left = head_reader_.length();
  if (end_stream && !checkEnd(stream)) return;
  stream.head_request = request_->isHead();
  stream.upgrade = !request_->upgrade.empty();
  stream.connect = request_->method == "CONNECT";
  events_.onRequestHeaders(stream.id, end_stream, head_reader_.expectContinue() && !end_stream);
}

// Answers a head that the owner shall not see.
void Http2ServerCodec::refuse(Stream& stream, uint16_t status) {
  head_writer_.statusOnly(status);
  submitHead(stream, true);
  stream.head_sent = stream.end_given = true;
  if (const auto broken = budget_.earlyReset()) fail(*broken, NGHTTP2_ENHANCE_YOUR_CALM);
  stream.dead = true;
  events_.onRequestReset(stream.id, ResetReason::kProtocolError);
}

// The client need not send the rest of a request that was answered (RFC 9113 section 8.1), but some clients throw the
// answer away when they read RST_STREAM together with it.
void Http2ServerCodec::endSent(Stream& stream) {
  if (stream.in != Stream::In::kEnded && !stream.tunnel) linger(stream);
}

void Http2ServerCodec::sendInformational(StreamId id, const ResponseHeaders& headers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent) return;
  if (headers.status < 100 || headers.status > 199 || headers.status == 101) return;
  head_writer_.response(headers, headers.status, false);
  submitHead(*stream, false);
  flush();
}

void Http2ServerCodec::sendHeaders(StreamId id, const ResponseHeaders& headers, bool end_stream) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->head_sent) return;
  stream->head_sent = true;
  const bool success = headers.status >= 200 && headers.status < 300;
  uint16_t status = headers.status;
  bool with_length = status != 204;
  bool swallow = stream->head_request || status == 204 || status == 304;
  if (stream->upgrade && status == 101) {
    status = 200;  // RFC 8441 section 5: how an extended CONNECT is accepted
    with_length = swallow = false;
    stream->tunnel = true;
  } else if (status == 101 || (stream->upgrade && success)) {
    // A success that accepts no tunnel would be read as one that does.
    head_writer_.statusOnly(502);
    stream->swallow = stream->end_given = true;
    ownerEnds(*stream);
    submitHead(*stream, true);
    return flush();
  } else if (stream->connect && success) {
    with_length = swallow = false;
    stream->tunnel = true;
  }
  const bool end = end_stream || swallow;
  stream->swallow = swallow;
  stream->end_given = end;
  if (end) ownerEnds(*stream);
  head_writer_.response(headers, status, with_length);
  submitHead(*stream, end);
  flush();
}

void Http2ServerCodec::reset(StreamId id, ResetReason reason) {
  uint32_t code = NGHTTP2_INTERNAL_ERROR;
  if (reason == ResetReason::kRefused) code = NGHTTP2_REFUSED_STREAM;
  if (reason == ResetReason::kProtocolError) code = NGHTTP2_PROTOCOL_ERROR;
  resetByOwner(id, code);
}

void Http2ServerCodec::sendErrorReply(const ProtocolError& error) {
  fail(error.detail, NGHTTP2_PROTOCOL_ERROR);
  flush();
}

// Two steps, so that requests that are on their way are served: a notice that names no stream yet, and the last stream
// once the client has surely seen the notice.
void Http2ServerCodec::drain() {
  if (failed() || drain_ == Drain::kFinal) return;
  if (drain_ == Drain::kNotice) return finishDrain();
  drain_ = Drain::kNotice;
  nghttp2_submit_shutdown_notice(session());
  flush();
}

// The ping is behind the notice: nghttp2 would let it overtake.
void Http2ServerCodec::goawaySent() {
  if (drain_ == Drain::kNotice) submitPing(kDrainPing);
}

void Http2ServerCodec::pingAcked(uint64_t opaque) {
  if (opaque == kDrainPing && drain_ == Drain::kNotice) finishDrain();
}

void Http2ServerCodec::finishDrain() {
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session()),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  flush();
}

bool Http2ServerCodec::shouldClose() const {
  return failed() || (openStreams() == 0 && (drain_ == Drain::kFinal || peer_ended_ || peer_leaves_));
}

}  // namespace

std::unique_ptr<ServerCodec> makeServerCodec(ServerEvents& events, ByteSink& sink, const CodecLimits& limits,
                                             const Http2Settings& settings) {
  auto codec = std::make_unique<Http2ServerCodec>(events, sink, limits, settings);
  codec->start();
  return codec;
}

}  // namespace sluice::http::h2
