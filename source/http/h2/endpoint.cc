#include "source/http/h2/endpoint.h"

#include <algorithm>

namespace sluice::http::h2 {

namespace {

constexpr size_t kFrameHead = 9;
constexpr uint32_t kProtocolDefaultWindow = 65535;
constexpr size_t kMostLingering = 64;

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
    : sink_(sink),
      limits_(limits),
      settings_(settings),
      head_reader_(limits_, settings.disallow_obs_text),
      budget_(settings_),
      side_(side),
      heads_(side == Side::kServer ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
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
  for (const auto& [id, value] : settings_.further) set(id, value);
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
  read(bytes);
  reading_ = false;
  settle();
  receiving_ = false;
  reap();
  return error_;
}

// In pieces that end with a head of DATA: nghttp2 says nothing of DATA on streams that are over.
void Endpoint::read(std::string_view bytes) {
  do {
    const size_t size = heads_.toData(bytes);
    data_begun_ = false;
    const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), size);
    if (taken == NGHTTP2_ERR_FLOODED) return fail("http2.outbound_control_flood", NGHTTP2_ENHANCE_YOUR_CALM);
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) return fail("http2.bad_preface", NGHTTP2_PROTOCOL_ERROR);
    if (taken < 0) return fail("http2.internal_error", NGHTTP2_INTERNAL_ERROR);
    bytes.remove_prefix(size);
    if (!heads_.found() || data_begun_) continue;
    const StreamId id = heads_.stream();
    if (known(id) != nullptr || !wasOpen(id)) continue;
    if (!onClosedStream(id, heads_.length() <= Budget::kTinyPayload)) return;
  } while (!bytes.empty());
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
  closed_.push_back(&stream);
  if (block_ == stream.id) block_ = 0;  // its end will not be told
  if (stream.lingering) return forgetLingering(stream);
  --open_;
  budget_.streamClosed();
}

void Endpoint::reap() {
  for (Stream* stream : closed_) {
    stream->recycle();
    free_.push_back(stream);
  }
  closed_.clear();
}

Stream* Endpoint::known(StreamId id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session_, static_cast<int32_t>(id)));
}

Stream* Endpoint::find(StreamId id) const {
  Stream* stream = known(id);
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
  return inBlock() || std::any_of(all_.begin(), all_.end(), [](const std::unique_ptr<Stream>& stream) {
           return stream->id != 0 && !stream->dead && stream->in != Stream::In::kEnded;
         });
}

void Endpoint::resetStream(Stream& stream, uint32_t code) {
  stream.dead = true;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, static_cast<int32_t>(stream.id), code);
}

// To its peer and to nghttp2 it counts as open, to budgets it does not. So that a peer is not kept from new requests by
// it, at most half of the streams that it may have open linger.
void Endpoint::linger(Stream& stream) {
  stream.dead = stream.lingering = true;
  --open_;
  budget_.streamClosed();
  lingering_.push_back(&stream);
  if (lingering_.size() > std::min<size_t>(kMostLingering, settings_.max_concurrent_streams / 2)) {
    resetOldestLingering(1);
  }
}

bool Endpoint::resetLingering(bool all) {
  if (lingering_.empty()) return false;
  resetOldestLingering(all ? lingering_.size() : lingered_before_);
  lingered_before_ = lingering_.size();
  flush();
  return !lingering_.empty();
}

void Endpoint::resetOldestLingering(size_t count) {
  const auto end = lingering_.begin() + static_cast<ptrdiff_t>(count);
  std::for_each(lingering_.begin(), end, [this](Stream* stream) { resetStream(*stream, NGHTTP2_NO_ERROR); });
  lingering_.erase(lingering_.begin(), end);
  lingered_before_ -= std::min(lingered_before_, count);
}

void Endpoint::forgetLingering(const Stream& stream) {
  const auto at = std::find(lingering_.begin(), lingering_.end(), &stream);
  if (at == lingering_.end()) return;
  if (static_cast<size_t>(at - lingering_.begin()) < lingered_before_) --lingered_before_;
  lingering_.erase(at);
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
  if (!limits_.enable_trailers) return dropTrailers();
  head_reader_.startTrailers(notifyTrailersBegin(stream->id), server());
}

void Endpoint::dropTrailers() {
  dropped_.clear();
  dropped_arena_.reset();
  head_reader_.startTrailers(dropped_, server());
}

void Endpoint::ownerEnds(const Stream& stream) {
  if (server() && block_ == stream.id && stream.in == Stream::In::kTrailers) dropTrailers();
}

void Endpoint::endTrailers(Stream& stream, bool allowed) {
  const bool good = stream.in == Stream::In::kTrailers && head_reader_.finish() == HeadReader::Outcome::kGood;
  if (!good || !allowed) return failStream(stream);
  if (!checkEnd(stream)) return;
  if (limits_.enable_trailers) return notifyTrailers(stream.id);
  notifyData(stream, {}, true);
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
  if (end) ownerEnds(*stream);
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
  ownerEnds(*stream);
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
  Stream* stream = known(static_cast<StreamId>(head.stream_id));
  if (head.type == NGHTTP2_RST_STREAM) {
    // nghttp2 ends the streams whose windows new SETTINGS take too far; it is to be the connection (section 6.9.2).
    const int64_t window = nghttp2_session_get_stream_remote_window_size(session_, head.stream_id);
    if (frame.rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR && window + window_growth_ > INT32_MAX) {
      fail("http2.flow_control_error", NGHTTP2_FLOW_CONTROL_ERROR);
    }
    onResetSent(static_cast<StreamId>(head.stream_id), stream, frame.rst_stream.error_code);
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

void Endpoint::onResetSent(StreamId id, const Stream* stream, uint32_t code) {
  const bool peer_ended = stream != nullptr && (stream->in == Stream::In::kEnded || stream->peer_reset);
  if (!peer_ended) rememberCut(id, code == NGHTTP2_STREAM_CLOSED);
  const bool ours = stream != nullptr && stream->owner_reset;
  const bool charged = ours || code == NGHTTP2_NO_ERROR || code == NGHTTP2_STREAM_CLOSED;
  if (server() && !charged) (void)charge(budget_.earlyReset());
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
