#include <algorithm>

#include "source/http/h2/codec.h"
#include "source/http/h2/endpoint_codec.h"

namespace sluice::http::h2 {

namespace {

class Http2ClientCodec final : public EndpointCodec<ClientCodec> {
 public:
  Http2ClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits, const Http2Settings& settings)
      : EndpointCodec(Side::kClient, sink, limits, settings), events_(events) {}

  std::optional<ProtocolError> receiveEnd() override;

  StreamId sendHeaders(const RequestHeaders& headers, bool end_stream) override;
  void reset(StreamId stream, ResetReason reason) override;

  uint32_t freeStreams() const override;
  Upgrades upgrades() const override;
  bool tunnelling(StreamId id) const override {
    const Stream* stream = find(id);
    return stream != nullptr && stream->tunnel;
  }
  void drain() override;
  bool reusable() const override { return !going_away_ && !failed() && idsLeft() > 0; }

 private:
  void notifyData(Stream& stream, std::string_view data, bool end) override {
    events_.onResponseData(stream.id, data, end);
  }
  Trailers& notifyTrailersBegin(StreamId stream) override { return events_.beginResponseTrailers(stream); }
  void notifyTrailers(StreamId stream) override { events_.onResponseTrailers(stream); }
  void notifyReset(StreamId stream, ResetReason reason) override { events_.onResponseReset(stream, reason); }
  void notifyProgress(StreamId stream) override { events_.onSendProgress(stream); }
  void blockBegins(const nghttp2_frame& frame) override;
  void blockEnds(Stream& stream, bool end_stream) override;
  void settingsCame() override;
  void goawayCame() override;

  void responseHead(Stream& stream, bool end_stream);
  uint32_t idsLeft() const { return ((uint32_t{1} << 31) - nghttp2_session_get_next_stream_id(session())) / 2; }

  ClientEvents& events_;
  ResponseHeaders* response_ = nullptr;  // of the block that is read
  bool settled_ = false;                 // the peer's SETTINGS have come
  bool going_away_ = false;
};

std::optional<ProtocolError> Http2ClientCodec::receiveEnd() {
  going_away_ = true;
  return feedEnd();
}

void Http2ClientCodec::blockBegins(const nghttp2_frame& frame) {
  const auto id = static_cast<StreamId>(frame.hd.stream_id);
  Stream* stream = find(id);
  response_ = nullptr;
  if (stream == nullptr || stream->in != Stream::In::kHead) return beginTrailers(stream, frame);
  response_ = &events_.beginResponse(id);
  head_reader_.startResponse(*response_);
}

void Http2ClientCodec::blockEnds(Stream& stream, bool end_stream) {
  if (stream.in == Stream::In::kHead) {
    responseHead(stream, end_stream);
  } else {
    endTrailers(stream, !stream.tunnel);
  }
}

void Http2ClientCodec::responseHead(Stream& stream, bool end_stream) {
  if (head_reader_.finish() != HeadReader::Outcome::kGood) return failStream(stream);
  const uint16_t status = response_->status;
  if (status < 200) {
    if (end_stream || budget_.informational()) return failStream(stream);
    return events_.onInformational(stream.id);
  }
  stream.in = Stream::In::kBody;
  const bool success = status < 300;
  if (success && (stream.upgrade || stream.connect)) {
    response_->remove(Name::kContentLength);
    if (stream.upgrade) response_->status = 101;
    stream.tunnel = true;
  } else if (stream.head_request || status == 204 || status == 304) {
    // Says how long another answer would be; none follows.
    stream.has_length = true;
  } else {
    stream.has_length = head_reader_.hasLength();
    stream.length_left = head_reader_.length();
  }
  if (end_stream && !checkEnd(stream)) return;
  events_.onResponseHeaders(stream.id, end_stream);
}

void Http2ClientCodec::settingsCame() {
  settled_ = true;
  events_.onCapacityChanged();
}

void Http2ClientCodec::goawayCame() {
  going_away_ = true;
  events_.onCapacityChanged();
}

StreamId Http2ClientCodec::sendHeaders(const RequestHeaders& headers, bool end_stream) {
  if (freeStreams() == 0 || (!headers.upgrade.empty() && upgrades() != Upgrades::kTaken)) return 0;
  const bool tunnel = headers.wantsTunnel();
  const bool end = end_stream && !tunnel;
  head_writer_.request(headers);
  head_writer_.setKept(!receiving());
  const auto id = static_cast<StreamId>(nghttp2_session_get_next_stream_id(session()));
  Stream& stream = open(id);
  const std::vector<nghttp2_nv>& fields = head_writer_.fields();
  const int32_t given = nghttp2_submit_headers(session(), end ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE, -1,
                                               nullptr, fields.data(), fields.size(), &stream);
  stream.announced = true;
  stream.unopened = true;
  stream.head_sent = true;
  stream.end_given = end;
  stream.head_request = headers.isHead();
  stream.upgrade = !headers.upgrade.empty();
  stream.connect = headers.method == "CONNECT";
  unopened_.push_back(&stream);
  if (given != static_cast<int32_t>(id)) {
    giveUp(stream);
    return 0;
  }
  flush();
  return id;
}

void Http2ClientCodec::reset(StreamId id, ResetReason reason) {
  const uint32_t code = reason == ResetReason::kProtocolError ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_CANCEL;
  resetByOwner(id, code);
}

uint32_t Http2ClientCodec::freeStreams() const {
  constexpr uint32_t kBeforeSettings = 100;
  if (!reusable()) return 0;
  const uint32_t peers = settled_
                             ? nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                             : kBeforeSettings;
  return std::min(peers - std::min(peers, openStreams()), idsLeft());
}

ClientCodec::Upgrades Http2ClientCodec::upgrades() const {
  if (!settled_) return Upgrades::kUnknown;
  const uint32_t said = nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL);
  return said == 1 ? Upgrades::kTaken : Upgrades::kRefused;
}

void Http2ClientCodec::drain() {
  if (failed() || going_away_) return;
  going_away_ = true;
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  flush();
}

}  // namespace

std::unique_ptr<ClientCodec> makeClientCodec(ClientEvents& events, ByteSink& sink, const CodecLimits& limits,
                                             const Http2Settings& settings) {
  auto codec = std::make_unique<Http2ClientCodec>(events, sink, limits, settings);
  codec->start();
  return codec;
}

}  // namespace sluice::http::h2
