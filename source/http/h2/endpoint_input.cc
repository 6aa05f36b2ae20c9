// What nghttp2 read: frames, streams that are over, budgets.
#include <algorithm>

#include "source/http/h2/endpoint.h"

namespace sluice::http::h2 {

namespace {

uint64_t opaqueOf(const nghttp2_ping& ping) {
  uint64_t out = 0;
  for (const uint8_t byte : ping.opaque_data) out = out << 8 | byte;
  return out;
}

}  // namespace

int Endpoint::onBeginFrame(const nghttp2_frame_hd& head) {
  frame_length_ = head.length;
  frame_data_ = 0;
  frame_flags_ = head.flags;
  const auto id = static_cast<StreamId>(head.stream_id);
  bool fine = true;
  switch (head.type) {
    case NGHTTP2_DATA:
      data_begun_ = true;
      break;
    case NGHTTP2_PRIORITY:
      fine = charge(budget_.priority());
      if (fine && head.stream_id == 0) {  // nghttp2 reads none once priorities are switched off
        fail("http2.protocol_error", NGHTTP2_PROTOCOL_ERROR);
        fine = false;
      }
      break;
    case NGHTTP2_WINDOW_UPDATE:
      fine = charge(budget_.windowUpdate());
      break;
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
    case NGHTTP2_GOAWAY:
      fine = charge(budget_.control());
      break;
    case NGHTTP2_RST_STREAM:
      if (known(id) == nullptr) fine = charge(budget_.control());
      break;
    case NGHTTP2_CONTINUATION: {
      constexpr size_t kFramePayload = 16 * 1024;
      constexpr size_t kSpare = 8;
      if (++continuations_ > kSpare + limits_.max_header_bytes / kFramePayload) {
        fail("http2.continuation_flood", NGHTTP2_ENHANCE_YOUR_CALM);
        fine = false;
      }
      break;
    }
    case NGHTTP2_HEADERS:
      continuations_ = 0;
      if (Stream* stream = known(id); stream == nullptr) {
        fine = checkNewId(id);
      } else if (stream->lingering && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        resetStream(*stream, NGHTTP2_NO_ERROR);  // blocks without end would be decoded for nothing
      }
      break;
    default:
      break;
  }
  return fine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

// Ids of clients only grow (RFC 9113 section 5.1.1). nghttp2 ignores an id that was passed over, as it does one of a
// stream that is over; here the first is an error and the second is charged: its block is decoded for nothing.
bool Endpoint::checkNewId(StreamId id) {
  constexpr size_t kMaxGaps = 16;
  constexpr uint32_t kWeight = 8;
  if (server() && id > highest_id_) {
    if (id > highest_id_ + 2 && gaps_.size() < kMaxGaps) gaps_.push_back({highest_id_, id});
    highest_id_ = id;
    return true;
  }
  if (!wasOpen(id)) return true;  // nghttp2 refuses it
  for (const auto& [low, high] : gaps_) {
    if (id <= low || id >= high) continue;
    fail("http2.stream_id_not_new", NGHTTP2_PROTOCOL_ERROR);
    return false;
  }
  return charge(budget_.control(kWeight)) && onClosedStream(id, false);
}

// Whether the stream is closed, if it is not among nghttp2's.
bool Endpoint::wasOpen(StreamId id) const {
  const StreamId next =
      server() ? highest_id_ + 1 : static_cast<StreamId>(nghttp2_session_get_next_stream_id(session_));
  return id % 2 == 1 && id < next;
}

// DATA or HEADERS, which are dropped. A peer that ended the stream itself may not send them, and one whose stream we
// cut learns that it is closed, unless it has been told already (RFC 9113 sections 5.1 and 6.1). What a server has on
// its way when we give up a response is no fault of its.
bool Endpoint::onClosedStream(StreamId id, bool tiny) {
  const auto cut = std::find_if(cut_.begin(), cut_.end(), [id](const Cut& each) { return each.id == id; });
  if (cut != cut_.end() && (cut->told || !server())) return !tiny || charge(budget_.tinyData());
  if (cut != cut_.end()) cut->told = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(id), NGHTTP2_STREAM_CLOSED);
  return charge(budget_.control());
}

void Endpoint::rememberCut(StreamId id, bool told) {
  constexpr size_t kMost = 128;
  if (std::any_of(cut_.begin(), cut_.end(), [id](const Cut& each) { return each.id == id; })) return;
  if (cut_.size() < kMost) {
    cut_.push_back({id, told});
  } else {
    cut_[next_cut_++ % kMost] = {id, told};
  }
}

int Endpoint::onBeginHeaders(const nghttp2_frame& frame) {
  block_ = static_cast<StreamId>(frame.hd.stream_id);
  blockBegins(frame);
  return 0;
}

int Endpoint::onHeader(std::string_view name, std::string_view value) {
  if (head_reader_.add(name, value)) return 0;
  fail("http2.header_bomb", NGHTTP2_ENHANCE_YOUR_CALM);
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Endpoint::onData(StreamId id, std::string_view data) {
  frame_data_ += data.size();
  nghttp2_session_consume_connection(session_, data.size());
  Stream* stream = find(id);
  if (stream == nullptr) return 0;
  if (stream->in != Stream::In::kBody || (stream->has_length && data.size() > stream->length_left)) {
    failStream(*stream);
    return 0;
  }
  stream->length_left -= stream->has_length ? data.size() : 0;
  const bool end = frame_data_ == frame_length_ && (frame_flags_ & NGHTTP2_FLAG_END_STREAM) != 0;
  if (end && !checkEnd(*stream)) return 0;
  notifyData(*stream, data, end);
  return 0;
}

void Endpoint::onDataFrame(const nghttp2_frame& frame) {
  const bool end = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  budget_.dataReceived(frame_data_);
  if (!end && frame_data_ == 0 && !charge(budget_.emptyFrame())) return;
  if (!end && frame_data_ <= Budget::kTinyPayload && !charge(budget_.tinyData())) return;
  Stream* stream = find(static_cast<StreamId>(frame.hd.stream_id));
  if (stream == nullptr) return;
  if (stream->in == Stream::In::kHead) return failStream(*stream);
  if (!end || stream->in == Stream::In::kEnded) return;
  if (checkEnd(*stream)) notifyData(*stream, {}, true);
}

int Endpoint::onFrame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      onDataFrame(frame);
      break;
    case NGHTTP2_HEADERS:
      block_ = 0;
      if (Stream* stream = find(static_cast<StreamId>(frame.hd.stream_id))) {
        blockEnds(*stream, (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
      }
      break;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = find(static_cast<StreamId>(frame.hd.stream_id))) {
        stream->peer_reset = true;
        if (server() && !stream->head_sent) (void)charge(budget_.earlyReset());
      }
      break;
    case NGHTTP2_SETTINGS:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        const int64_t window = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
        window_growth_ = std::max(window_growth_, window - peer_window_);
        peer_window_ = window;
        settingsCame();
      }
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        const uint64_t opaque = opaqueOf(frame.ping);
        if (opaque == kKeepalivePing) awaiting_ping_ = false;
        pingAcked(opaque);
      }
      break;
    case NGHTTP2_GOAWAY:
      goawayCame();
      break;
    default:
      break;
  }
  (void)charge(budget_.outbound(nghttp2_session_get_outbound_queue_size(session_)));
  return failed() ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

void Endpoint::onClose(StreamId id, uint32_t code) {
  Stream* stream = known(id);
  if (stream == nullptr || stream->closed) return;
  if (stream->unopened) std::erase(unopened_, stream);
  // A client has all it wants once the response is whole; a server, once it sent one.
  const bool heard = stream->in == Stream::In::kEnded;
  const bool whole = stream->tunnel ? heard && stream->end_sent : server() ? stream->end_sent : heard;
  if (server() && stream->end_sent) budget_.responseCompleted();
  const bool tell = !stream->dead && stream->announced && !whole;
  detach(*stream);
  if (!tell) return;
  ResetReason reason = stream->peer_reset ? ResetReason::kRemote : ResetReason::kProtocolError;
  if (stream->peer_reset && code == NGHTTP2_CONNECT_ERROR) reason = ResetReason::kConnectError;
  // Without a frame of the peer it is GOAWAY that left the stream out.
  if (code == NGHTTP2_REFUSED_STREAM) reason = stream->peer_reset ? ResetReason::kRefused : ResetReason::kUnprocessed;
  if (reading_) {
    notifyReset(id, reason);
  } else {
    resets_.push_back({id, reason});
  }
}

}  // namespace sluice::http::h2
