#include "source/http/h2/endpoint.h"

#include <algorithm>

namespace sluice::http::h2 {

namespace {

constexpr size_t kFrameHead = 9;
constexpr uint32_t kProtocolDefaultWindow = 65535;

std::string_view bytesOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What a connection error that nghttp2 found is called.
std::string_view detailOf(uint32_t code) {
  switch (code) {
    case NGHTTP2_FLOW_CONTROL_ERROR:
      return "http2.flow_control_error";
    case NGHTTP2_SETTINGS_TIMEOUT:
      return "http2.settings_timeout";
    case NGHTTP2_STREAM_CLOSED:
      return "http2.stream_closed";
    case NGHTTP2_FRAME_SIZE_ERROR:
      return "http2.frame_size_error";
    case NGHTTP2_COMPRESSION_ERROR:
      return "http2.compression_error";
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return "http2.enhance_your_calm";
    case NGHTTP2_INTERNAL_ERROR:
      return "http2.internal_error";
    default:
      return "http2.protocol_error";
  }
}

uint64_t opaqueOf(const nghttp2_ping& ping) {
  uint64_t out = 0;
  for (const uint8_t byte : ping.opaque_data) out = out << 8 | byte;
  return out;
}

}  // namespace

// nghttp2's callbacks, each handed to the endpoint.
struct Endpoint::Callbacks {
  static Endpoint& of(void* user) { return *static_cast<Endpoint*>(user); }

  static int beginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    return of(user).onBeginFrame(*head);
  }
  static int beginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    return of(user).onBeginHeaders(*frame);
  }
  static int header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size, const uint8_t* value,
                    size_t value_size, uint8_t, void* user) {
    return of(user).onHeader(bytesOf(name, name_size), bytesOf(value, value_size));
  }
  static int data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    return of(user).onData(static_cast<StreamId>(id), bytesOf(data, size));
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) { return of(user).onFrame(*frame); }
  static int frameSent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    of(user).onFrameSent(*frame);
    return 0;
  }
  static int frameNotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    of(user).onFrameNotSent(*frame);
    return 0;
  }
  static int close(nghttp2_session*, int32_t id, uint32_t code, void* user) {
    of(user).onClose(static_cast<StreamId>(id), code);
    return 0;
  }
  static ssize_t readBody(nghttp2_session*, int32_t, uint8_t*, size_t length, uint32_t* flags,
                          nghttp2_data_source* source, void* user) {
    return of(user).readBody(*static_cast<Stream*>(source->ptr), length, *flags);
  }
  static int writeBody(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t length,
                       nghttp2_data_source* source, void* user) {
    of(user).writeBody(*static_cast<Stream*>(source->ptr), bytesOf(head, kFrameHead), length);
    return 0;
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* out = nullptr;
    nghttp2_session_callbacks_new(&out);
    nghttp2_session_callbacks_set_on_begin_frame_callback(out, beginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(out, beginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(out, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(out, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(out, frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(out, frameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(out, frameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(out, close);
    nghttp2_session_callbacks_set_send_data_callback(out, writeBody);
    return out;
  }
};

Endpoint::Endpoint(Side side, ByteSink& sink, const CodecLimits& limits, const Http2Settings& settings)
    : sink_(sink), limits_(limits), settings_(settings), head_reader_(limits_), budget_(settings_), side_(side) {
  constexpr size_t kMaxSentBlock = 16 * 1024 * 1024;

  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_http_messaging(options, 1);  // the rules of messages are in HeadReader and below
  nghttp2_option_set_no_closed_streams(options, 1);
  nghttp2_option_set_max_reserved_remote_streams(options, 0);
  nghttp2_option_set_max_send_header_block_length(options, kMaxSentBlock);
  // nghttp2 counts a CONTINUATION once for each piece in which its head comes; onBeginFrame() counts frames.
  nghttp2_option_set_max_continuations(options, size_t{1} << 40);
  if (settings_.max_outbound_control_frames > 0) {
    nghttp2_option_set_max_outbound_ack(options, settings_.max_outbound_control_frames);
  }
  // nghttp2's own limit of resets goes by the wall clock; ours is in Budget.
  nghttp2_option_set_stream_reset_rate_limit(options, uint64_t{1} << 40, uint64_t{1} << 40);

  nghttp2_session_callbacks* callbacks = Callbacks::make();
  if (side == Side::kServer) {
    nghttp2_session_server_new2(&session_, callbacks, this, options);
  } else {
    nghttp2_session_client_new2(&session_, callbacks, this, options);
  }
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_option_del(options);
}

Endpoint::~Endpoint() {
  nghttp2_session_del(session_);
}

void Endpoint::start() {
  submitSettings();
  flush();
}

void Endpoint::submitSettings() {
  std::vector<nghttp2_settings_entry> entries;
  const auto set = [&entries](int32_t id, uint32_t value) { entries.push_back({id, value}); };
  if (settings_.header_table_size != 4096) set(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, settings_.header_table_size);
  set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings_.initial_stream_window);
  set(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits_.max_header_bytes);
  if (server()) {
    set(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings_.max_concurrent_streams);
    if (settings_.allow_connect && limits_.allow_upgrades) set(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
    set(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
  } else {
    set(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  }
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  if (settings_.initial_connection_window > kProtocolDefaultWindow) {
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<int32_t>(settings_.initial_connection_window));
  }
}

// --- driving -------------------------------------------------------------------------------------------------------

std::optional<ProtocolError> Endpoint::feed(std::string_view bytes) {
  if (error_) return error_;
  receiving_ = reading_ = true;
  window_growth_ = 0;
  budget_.beginReceive();
  const ssize_t read = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  reading_ = false;
  if (read == NGHTTP2_ERR_FLOODED) {
    fail("http2.outbound_control_flood", NGHTTP2_ENHANCE_YOUR_CALM);
  } else if (read == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
    fail("http2.bad_preface", NGHTTP2_PROTOCOL_ERROR);
  } else if (read < 0) {
    fail("http2.internal_error", NGHTTP2_INTERNAL_ERROR);
  }
  settle();
  receiving_ = false;
  reap();
  return error_;
}

std::optional<ProtocolError> Endpoint::feedEnd() {
  if (inputIncomplete()) fail("http2.connection_ended", NGHTTP2_NO_ERROR);
  return feed({});
}

// Writes what the input led to and tells the owner of it, which may lead to more.
void Endpoint::settle() {
  while (true) {
    write();
    if (error_) return;
    if (resets_.empty() && progressed_.empty()) return;
    const std::vector<Reset> resets = std::move(resets_);
    const std::vector<StreamId> progressed = std::move(progressed_);
    resets_.clear();
    progressed_.clear();
    for (const Reset& reset : resets) notifyReset(reset.stream, reset.reason);
    for (const StreamId id : progressed) {
      Stream* stream = find(id);
      if (stream == nullptr || !stream->progressed) continue;
      stream->progressed = false;
      notifyProgress(id);
    }
  }
}

void Endpoint::flush() {
  if (receiving_) return;
  write();
  reap();
}

void Endpoint::write() {
  if (error_ && !terminated_) terminate();
  while (true) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size < 0) {
      fail("http2.internal_error", NGHTTP2_INTERNAL_ERROR);
      terminated_ = true;
      return;
    }
    if (size == 0) {
      if (!error_ || terminated_) return;
      terminate();
      continue;
    }
    sink_.write(bytesOf(data, static_cast<size_t>(size)));
  }
}

void Endpoint::fail(std::string_view detail, uint32_t code) {
  if (error_) return;
  error_ = ProtocolError{static_cast<uint16_t>(server() ? 400 : 502), detail};
  error_code_ = code;
}

void Endpoint::terminate() {
  terminated_ = true;
  nghttp2_session_terminate_session(session_, error_code_);
}

bool Endpoint::charge(Budget::Verdict verdict) {
  if (!verdict) return true;
  fail(*verdict, NGHTTP2_ENHANCE_YOUR_CALM);
  return false;
}

// --- streams -------------------------------------------------------------------------------------------------------

Stream& Endpoint::open(StreamId id) {
  if (free_.empty()) {
    all_.push_back(std::make_unique<Stream>());
    free_.push_back(all_.back().get());
  }
  Stream& stream = *free_.back();
  free_.pop_back();
  stream.id = id;
  ++open_;
  budget_.streamOpened();
  return stream;
}

void Endpoint::detach(Stream& stream) {
  stream.closed = true;
  stream.dead = true;
  --open_;
  closed_.push_back(&stream);
}

void Endpoint::reap() {
  for (Stream* stream : closed_) {
    stream->recycle();
    free_.push_back(stream);
  }
  closed_.clear();
}

Stream* Endpoint::find(StreamId id) const {
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, static_cast<int32_t>(id)));
  if (stream == nullptr && !unopened_.empty()) {
    const auto at = std::find_if(unopened_.begin(), unopened_.end(), [id](const Stream* s) { return s->id == id; });
    if (at != unopened_.end()) stream = *at;
  }
  return stream == nullptr || stream->dead || error_ ? nullptr : stream;
}

void Endpoint::giveUp(Stream& stream) {
  std::erase(unopened_, &stream);
  detach(stream);
  if (!receiving_) reap();
}

bool Endpoint::inputIncomplete() const {
  return in_block_ || std::any_of(all_.begin(), all_.end(), [](const std::unique_ptr<Stream>& stream) {
           return stream->id != 0 && !stream->dead && stream->in != Stream::In::kEnded;
         });
}

void Endpoint::resetStream(Stream& stream, uint32_t code) {
  stream.dead = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id), code);
}

void Endpoint::failStream(Stream& stream, uint32_t code) {
  if (stream.dead) return;
  resetStream(stream, code);
  if (stream.announced) notifyReset(stream.id, ResetReason::kProtocolError);
}

// The message ended: is it as long as it said?
bool Endpoint::checkEnd(Stream& stream) {
  if (stream.has_length && stream.length_left > 0) {
    failStream(stream);
    return false;
  }
  stream.in = Stream::In::kEnded;
  return true;
}

void Endpoint::beginTrailers(Stream* stream, const nghttp2_frame& frame) {
  const bool trailers =
      stream != nullptr && stream->in == Stream::In::kBody && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!trailers) return head_reader_.startDiscarded();
  stream->in = Stream::In::kTrailers;
  dropped_.clear();
  dropped_arena_.reset();
  head_reader_.startTrailers(limits_.enable_trailers ? notifyTrailersBegin(stream->id) : dropped_);
}

void Endpoint::endTrailers(Stream& stream, bool allowed) {
  const bool good = stream.in == Stream::In::kTrailers && head_reader_.finish() == HeadReader::Outcome::kGood;
  if (!good || !allowed) return failStream(stream);
  if (!checkEnd(stream)) return;
  if (limits_.enable_trailers) return notifyTrailers(stream.id);
  notifyData(stream, {}, true);
}

// --- input ---------------------------------------------------------------------------------------------------------

int Endpoint::onBeginFrame(const nghttp2_frame_hd& head) {
  frame_length_ = head.length;
  frame_data_ = 0;
  frame_flags_ = head.flags;
  const auto known = [this, &head] {
    return nghttp2_session_get_stream_user_data(session_, head.stream_id) != nullptr;
  };
  bool fine = true;
  switch (head.type) {
    case NGHTTP2_PRIORITY:
      fine = charge(budget_.priority());
      if (fine && head.stream_id == 0) {  // nghttp2 reads none once priorities are switched off
        fail(detailOf(NGHTTP2_PROTOCOL_ERROR), NGHTTP2_PROTOCOL_ERROR);
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
      if (!known()) fine = charge(budget_.control());
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
      if (server()) fine = checkNewId(static_cast<StreamId>(head.stream_id), known());
      break;
    default:
      break;
  }
  return fine ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

// Ids of clients only grow (RFC 9113 section 5.1.1). nghttp2 ignores an id that was passed over, as it does one of a
// stream that is over; here the first is an error and the second is charged: its block is decoded for nothing.
bool Endpoint::checkNewId(StreamId id, bool known) {
  constexpr size_t kMaxGaps = 16;
  constexpr uint32_t kWeight = 8;
  if (id > highest_id_) {
    if (id > highest_id_ + 2 && gaps_.size() < kMaxGaps) gaps_.push_back({highest_id_, id});
    highest_id_ = id;
    return true;
  }
  if (known) return true;
  for (const auto& [low, high] : gaps_) {
    if (id <= low || id >= high) continue;
    fail("http2.stream_id_not_new", NGHTTP2_PROTOCOL_ERROR);
    return false;
  }
  return charge(budget_.control(kWeight));
}

int Endpoint::onBeginHeaders(const nghttp2_frame& frame) {
  in_block_ = true;
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
  budget_.payload(data.size());
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
  if (frame_data_ > 0) budget_.dataReceived();
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
      in_block_ = false;
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
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, static_cast<int32_t>(id)));
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
  // Without a frame of the peer it is GOAWAY that left the stream out.
  if (code == NGHTTP2_REFUSED_STREAM) reason = stream->peer_reset ? ResetReason::kRefused : ResetReason::kUnprocessed;
  if (reading_) {
    notifyReset(id, reason);
  } else {
    resets_.push_back({id, reason});
  }
}

// --- output --------------------------------------------------------------------------------------------------------

void Endpoint::submitHead(Stream& stream, bool end) {
  head_writer_.setKept(!receiving_);
  const std::vector<nghttp2_nv>& fields = head_writer_.fields();
  nghttp2_submit_headers(session_, end ? NGHTTP2_FLAG_END_STREAM : NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id),
                         nullptr, fields.data(), fields.size(), nullptr);
}

void Endpoint::sendBody(StreamId id, std::string_view data, bool end) {
  Stream* stream = find(id);
  if (stream == nullptr || !stream->head_sent || stream->end_given || stream->has_trailers) return;
  if (stream->swallow || (data.empty() && !end)) return;
  stream->end_given = end;
  // What goes out at once is not copied.
  const bool direct = !receiving_ && !stream->attached && !stream->unopened;
  if (direct) {
    stream->direct = data;
  } else {
    stream->pending.append(data);
  }
  pump(*stream);
  if (receiving_) return;
  write();
  if (direct && !stream->closed && !stream->direct.empty()) stream->pending.append(stream->direct);
  stream->direct = {};
  reap();
}

void Endpoint::sendTrailerList(StreamId id, const Trailers& trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || !stream->head_sent || stream->end_given || stream->has_trailers) return;
  if (stream->swallow) return;
  head_writer_.trailers(trailers);
  if (head_writer_.empty() || stream->connect || stream->upgrade) return sendBody(id, {}, true);
  if (!stream->attached && !stream->unopened) {
    stream->has_trailers = true;
    head_writer_.setKept(!receiving_);
    nghttp2_submit_trailer(session_, static_cast<int32_t>(id), head_writer_.fields().data(),
                           head_writer_.fields().size());
    return flush();
  }
  stream->has_trailers = true;
  for (const nghttp2_nv& field : head_writer_.fields()) {
    stream->trailers.emplace_back(bytesOf(field.name, field.namelen), bytesOf(field.value, field.valuelen));
  }
}

// Hands the stream to nghttp2, which takes its bytes as windows allow.
void Endpoint::pump(Stream& stream) {
  if (stream.unopened || stream.attached) return;
  if (!stream.hasOutput()) {
    if (stream.has_trailers) submitTrailers(stream);
    return;
  }
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::readBody;
  stream.attached =
      nghttp2_submit_data(session_, NGHTTP2_FLAG_END_STREAM, static_cast<int32_t>(stream.id), &provider) == 0;
}

ssize_t Endpoint::readBody(Stream& stream, size_t length, uint32_t& flags) {
  const size_t size = std::min(length, stream.unsent());
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size < stream.unsent()) return static_cast<ssize_t>(size);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  stream.attached = false;
  if (!stream.end_given) flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
  if (stream.has_trailers) submitTrailers(stream);
  return static_cast<ssize_t>(size);
}

void Endpoint::submitTrailers(Stream& stream) {
  std::vector<nghttp2_nv> fields;
  for (auto& [name, value] : stream.trailers) {
    fields.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  nghttp2_submit_trailer(session_, static_cast<int32_t>(stream.id), fields.data(), fields.size());
}

void Endpoint::writeBody(Stream& stream, std::string_view head, size_t length) {
  budget_.dataFrameSent();
  sink_.write(head);
  const size_t waiting = std::min(length, stream.pending.size() - stream.sent);
  if (waiting > 0) {
    sink_.write(std::string_view(stream.pending).substr(stream.sent, waiting));
    stream.sent += waiting;
    length -= waiting;
    if (stream.sent == stream.pending.size()) {
      stream.pending.clear();
      stream.sent = 0;
    } else if (stream.sent > stream.pending.size() / 2) {
      stream.pending.erase(0, stream.sent);
      stream.sent = 0;
    }
    if (!stream.progressed) {
      stream.progressed = true;
      progressed_.push_back(stream.id);
    }
  }
  if (length > 0) {
    sink_.write(stream.direct.substr(0, length));
    stream.direct.remove_prefix(length);
  }
}

void Endpoint::onFrameSent(const nghttp2_frame& frame) {
  const nghttp2_frame_hd& head = frame.hd;
  if (head.type == NGHTTP2_GOAWAY) {
    if (frame.goaway.error_code == NGHTTP2_NO_ERROR) return goawaySent();
    terminated_ = true;
    fail(detailOf(frame.goaway.error_code), frame.goaway.error_code);
    return;
  }
  if (head.type != NGHTTP2_HEADERS && head.type != NGHTTP2_DATA && head.type != NGHTTP2_RST_STREAM) return;
  auto* stream = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, head.stream_id));
  if (head.type == NGHTTP2_RST_STREAM) {
    // nghttp2 ends the streams whose windows new SETTINGS take too far; it is to be the connection (section 6.9.2).
    const int64_t window = nghttp2_session_get_stream_remote_window_size(session_, head.stream_id);
    if (frame.rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR && window + window_growth_ > INT32_MAX) {
      fail("http2.flow_control_error", NGHTTP2_FLOW_CONTROL_ERROR);
    }
    const bool ours = stream != nullptr && stream->owner_reset;
    if (server() && !ours && frame.rst_stream.error_code != NGHTTP2_NO_ERROR) (void)charge(budget_.earlyReset());
    return;
  }
  if (stream == nullptr) return;
  if (stream->unopened) {
    stream->unopened = false;
    std::erase(unopened_, stream);
    pump(*stream);
  }
  if ((head.flags & NGHTTP2_FLAG_END_STREAM) == 0) return;
  stream->end_sent = true;
  endSent(*stream);
}

void Endpoint::onFrameNotSent(const nghttp2_frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS) return;
  const auto id = static_cast<StreamId>(frame.hd.stream_id);
  const auto at = std::find_if(unopened_.begin(), unopened_.end(), [id](const Stream* s) { return s->id == id; });
  if (at == unopened_.end()) return;
  Stream& stream = **at;
  unopened_.erase(at);
  const bool tell = !stream.dead;
  if (stream.closed) return;
  detach(stream);
  if (tell) resets_.push_back({id, ResetReason::kUnprocessed});
}

size_t Endpoint::unsent(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->unsent();
}

void Endpoint::consumeStream(StreamId id, size_t bytes) {
  const Stream* stream = find(id);
  if (bytes == 0 || stream == nullptr || stream->in == Stream::In::kEnded) return;
  nghttp2_session_consume_stream(session_, static_cast<int32_t>(id), bytes);
  flush();
}

void Endpoint::submitPing(uint64_t opaque) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(opaque >> (56 - 8 * i));
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, bytes);
}

void Endpoint::sendKeepalivePing() {
  if (failed() || awaiting_ping_) return;
  awaiting_ping_ = true;
  submitPing(kKeepalivePing);
  flush();
}

}  // namespace sluice::http::h2
