// The other end of a connection for tests: writes HTTP/2 frames byte by byte as RFC 9113 lays them out, good and bad
// ones, reads those that a codec wrote into lines of text, and records what the codec's owner heard. Only HPACK is
// nghttp2's.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/h2/codec.h"

namespace sluice::http::h2 {

// --- frames --------------------------------------------------------------------------------------------------------

enum Type : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};
enum Flag : uint8_t { kNone = 0, kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8, kWithPriority = 32 };
enum Code : uint32_t {
  kNoError = 0,
  kProtocol = 1,
  kInternal = 2,
  kFlowControl = 3,
  kStreamClosed = 5,
  kFrameSize = 6,
  kRefusedStream = 7,
  kCancel = 8,
  kCompression = 9,
  kConnectError = 10,
  kCalm = 11,
};

inline std::string number(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

// `length` is what the head says where it differs from the payload's.
inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload, int64_t length = -1) {
  std::string out = number(length < 0 ? payload.size() : static_cast<uint64_t>(length), 3);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out.append(number(stream, 4)).append(payload);
}

inline std::string setting(uint16_t id, uint32_t value) {
  return number(id, 2) + number(value, 4);
}
inline std::string settings(std::string_view entries = {}) {
  return frame(kSettings, 0, 0, entries);
}
inline std::string windowUpdate(uint32_t stream, uint32_t by) {
  return frame(kWindowUpdate, 0, stream, number(by, 4));
}
inline std::string rst(uint32_t stream, uint32_t code) {
  return frame(kRstStream, 0, stream, number(code, 4));
}
inline std::string goaway(uint32_t last, uint32_t code) {
  return frame(kGoaway, 0, 0, number(last, 4) + number(code, 4));
}
inline std::string ping(std::string_view opaque = "01234567", uint8_t flags = 0) {
  return frame(kPing, flags, 0, opaque);
}
inline std::string data(uint32_t stream, std::string_view payload, bool end = false) {
  return frame(kData, end ? kEndStream : 0, stream, payload);
}
inline std::string magic() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
}
inline std::string preface() {
  return magic() + settings();
}

// A header block in as many frames as it takes.
inline std::string headerFrames(uint32_t stream, std::string_view block, bool end) {
  constexpr size_t kMost = 16384;
  std::string out;
  for (size_t at = 0; at == 0 || at < block.size(); at += kMost) {
    const uint8_t last = at + kMost >= block.size() ? kEndHeaders : 0;
    const uint8_t flags = last | (at == 0 && end ? kEndStream : 0);
    out += frame(at == 0 ? kHeaders : kContinuation, flags, stream, block.substr(at, kMost));
  }
  return out;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// One direction's header compression.
class Deflater {
 public:
  // Without a table by default, so that blocks may be made in any order.
  explicit Deflater(size_t table = 0) { nghttp2_hd_deflate_new(&deflater_, table); }
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> list;
    for (const auto& [name, value] : fields) {
      const auto bytes = [](const std::string& text) {
        return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
      };
      list.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()) + 16, '\0');
    const ssize_t size =
        nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(out.data()), out.size(), list.data(), list.size());
    out.resize(static_cast<size_t>(size));
    return out;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

// A literal field without compression or indexing (RFC 7541 section 6.2.2); lengths below 127.
inline std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out.append(number(name.size(), 1)).append(name);
  return out.append(number(value.size(), 1)).append(value);
}

// What a codec wrote, one line a frame: "HEADERS 1 ES :status=200", "DATA 1 ES abc", "RST_STREAM 1 8".
class FrameReader {
 public:
  FrameReader() { nghttp2_hd_inflate_new(&inflater_); }
  ~FrameReader() { nghttp2_hd_inflate_del(inflater_); }
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  std::vector<std::string> read(std::string_view bytes) {
    kept_.append(bytes);
    std::vector<std::string> out;
    if (kept_.starts_with(magic())) kept_.erase(0, magic().size());
    while (kept_.size() >= 9) {
      const size_t length = static_cast<size_t>(get(0, 3));
      if (kept_.size() < 9 + length) break;
      out.push_back(line(static_cast<uint8_t>(kept_[3]), static_cast<uint8_t>(kept_[4]),
                         static_cast<uint32_t>(get(5, 4)), kept_.substr(9, length)));
      kept_.erase(0, 9 + length);
    }
    return out;
  }
  bool whole() const { return kept_.empty(); }

 private:
  uint64_t get(size_t at, int bytes) const { return get(kept_, at, bytes); }
  static uint64_t get(std::string_view from, size_t at, int bytes) {
    uint64_t out = 0;
    for (int i = 0; i < bytes; ++i) out = out << 8 | static_cast<unsigned char>(from[at + static_cast<size_t>(i)]);
    return out;
  }

  std::string line(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
    static const char* const kNames[] = {"DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                         "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};
    std::string out = type < 10 ? kNames[type] : "UNKNOWN";
    out += " " + std::to_string(stream);
    if ((type == kSettings || type == kPing) && (flags & kAck)) out += " ACK";
    if ((type == kData || type == kHeaders) && (flags & kEndStream)) out += " ES";
    switch (type) {
      case kData:
        return out + (payload.empty() ? "" : " " + payload);
      case kHeaders:
      case kContinuation:
        block_ += payload;
        return (flags & kEndHeaders) ? out + fields() : out;
      case kRstStream:
        return out + " " + std::to_string(get(payload, 0, 4));
      case kGoaway:
        return out + " " + std::to_string(get(payload, 0, 4)) + " " + std::to_string(get(payload, 4, 4));
      case kWindowUpdate:
        return out + " " + std::to_string(get(payload, 0, 4));
      case kSettings:
        for (size_t at = 0; at + 6 <= payload.size(); at += 6) {
          out += " " + std::to_string(get(payload, at, 2)) + "=" + std::to_string(get(payload, at + 2, 4));
        }
        return out;
      default:
        return out;
    }
  }

  std::string fields() {
    std::string out;
    const auto* at = reinterpret_cast<const uint8_t*>(block_.data());
    size_t left = block_.size();
    while (true) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t taken = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (taken < 0) return out + " BAD_BLOCK";
      at += taken;
      left -= static_cast<size_t>(taken);
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        out += " " + std::string(reinterpret_cast<char*>(field.name), field.namelen) + "=" +
               std::string(reinterpret_cast<char*>(field.value), field.valuelen);
      }
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    block_.clear();
    return out;
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string kept_;
  std::string block_;
};

// --- owners --------------------------------------------------------------------------------------------------------

class StringSink final : public ByteSink {
 public:
  void write(std::string_view bytes) override { out.append(bytes); }
  std::string take() { return std::exchange(out, {}); }
  std::string out;
};

// Lines of events; the pieces of a body are joined, so that the record does not depend on how the bytes were split.
class Record {
 public:
  void event(StreamId stream, std::string_view text) {
    flush(stream);
    lines_.push_back(std::to_string(stream) + " " + std::string(text));
  }
  void data(StreamId stream, std::string_view bytes, bool end) {
    data_[stream].append(bytes);
    if (end) event(stream, "end");
  }
  std::vector<std::string> take() {
    while (!data_.empty()) flush(data_.begin()->first);
    return std::exchange(lines_, {});
  }

 private:
  void flush(StreamId stream) {
    const auto at = data_.find(stream);
    if (at == data_.end()) return;
    if (!at->second.empty()) lines_.push_back(std::to_string(stream) + " data " + at->second);
    data_.erase(at);
  }
  std::vector<std::string> lines_;
  std::map<StreamId, std::string> data_;
};

inline std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out.append(line).append("\n");
  return out;
}

inline std::string listText(const HeaderList& list) {
  std::string out;
  for (const Field& field : list) out.append(" ").append(field.name).append("=").append(field.value);
  return out;
}

inline std::string reasonText(ResetReason reason) {
  static const char* const kNames[] = {"local",   "remote",      "connection_ended", "protocol_error",
                                       "refused", "unprocessed", "connect_error"};
  return std::string("reset ") + kNames[static_cast<int>(reason)];
}

template <typename Headers>
struct Message {
  base::Arena arena;
  Headers head{arena};
  Trailers trailers{arena};
};

inline CodecLimits testLimits() {
  CodecLimits limits;
  limits.allow_upgrades = true;
  return limits;
}

inline Http2Settings testSettings() {
  Http2Settings settings;
  settings.allow_connect = true;
  return settings;
}

// A server codec, its owner and the client that talks to it. `answers`: each whole request gets a 200.
class TestServer final : public ServerEvents {
 public:
  explicit TestServer(const CodecLimits& limits = testLimits(), const Http2Settings& settings = testSettings())
      : codec(makeServerCodec(*this, sink, limits, settings)) {}

  RequestHeaders& beginRequest(StreamId stream) override {
    requests[stream] = std::make_unique<Message<RequestHeaders>>();
    return requests[stream]->head;
  }
  void onRequestHeaders(StreamId stream, bool end, bool expect_continue) override {
    const RequestHeaders& head = requests[stream]->head;
    std::string line(head.method);
    line.append(" ").append(head.path).append(" @").append(head.authority).append(" ").append(head.scheme);
    if (!head.upgrade.empty()) line.append(" upgrade:").append(head.upgrade);
    line.append(listText(head));
    if (expect_continue) line.append(" (continue)");
    record.event(stream, line);
    if (end) record.data(stream, {}, true);
    if (on_headers) on_headers(stream);
    if (end) whole(stream);
  }
  void onRequestData(StreamId stream, std::string_view bytes, bool end) override {
    record.data(stream, bytes, end);
    if (consumes) codec->consumed(stream, bytes.size());
    if (end) whole(stream);
  }
  Trailers& beginRequestTrailers(StreamId stream) override { return requests[stream]->trailers; }
  void onRequestTrailers(StreamId stream) override {
    record.event(stream, "trailers" + listText(requests[stream]->trailers));
    whole(stream);
  }
  void onRequestReset(StreamId stream, ResetReason reason) override {
    record.event(stream, reasonText(reason));
    requests.erase(stream);
  }
  void onSendProgress(StreamId stream) override { record.event(stream, "progress"); }

  bool feed(std::string_view bytes) {
    // A copy of exactly this size, so that a sanitizer sees any look beyond it.
    const std::vector<char> exact(bytes.begin(), bytes.end());
    codec->tellTime(now);
    error = codec->receive({exact.data(), exact.size()});
    return !error;
  }
  // Feeds the preface and forgets the answer.
  void settle(std::string_view entries = {}) {
    feed(magic() + settings(entries) + frame(kSettings, kAck, 0, {}));
    frames();
  }
  std::string events() { return joined(record.take()); }
  std::string frames() { return joined(reader.read(sink.take())); }
  std::string request(uint32_t stream, const Fields& fields, bool end = true) {
    return headerFrames(stream, deflater.block(fields), end);
  }
  std::string get(uint32_t stream, std::string_view path = "/") {
    return request(stream,
                   {{":method", "GET"}, {":scheme", "https"}, {":path", std::string(path)}, {":authority", "a"}});
  }
  std::string post(uint32_t stream, Fields more = {}, bool end = false) {
    Fields fields{{":method", "POST"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a"}};
    fields.insert(fields.end(), more.begin(), more.end());
    return request(stream, fields, end);
  }
  void reply(StreamId stream, uint16_t status, std::string_view body = {}, const Fields& fields = {}) {
    base::Arena arena;
    ResponseHeaders head(arena);
    head.status = status;
    for (const auto& [name, value] : fields) head.add(name, value);
    codec->sendHeaders(stream, head, body.empty());
    if (!body.empty()) codec->sendData(stream, body, true);
  }
  // Only the head; the body follows.
  void begin(StreamId stream, uint16_t status = 200, const Fields& fields = {}) {
    base::Arena arena;
    ResponseHeaders head(arena);
    head.status = status;
    for (const auto& [name, value] : fields) head.add(name, value);
    codec->sendHeaders(stream, head, false);
  }

  StringSink sink;
  Record record;
  FrameReader reader;
  Deflater deflater;
  std::map<StreamId, std::unique_ptr<Message<RequestHeaders>>> requests;
  std::optional<ProtocolError> error;
  TimePoint now{};
  bool answers = false;
  std::string body;  // of those answers
  bool consumes = true;
  std::function<void(StreamId)> on_headers;
  std::unique_ptr<ServerCodec> codec;

 private:
  void whole(StreamId stream) {
    if (answers) reply(stream, 200, body);
  }
};

class TestClient final : public ClientEvents {
 public:
  explicit TestClient(const CodecLimits& limits = testLimits(), const Http2Settings& settings = testSettings())
      : codec(makeClientCodec(*this, sink, limits, settings)) {}

  ResponseHeaders& beginResponse(StreamId stream) override {
    responses[stream] = std::make_unique<Message<ResponseHeaders>>();
    return responses[stream]->head;
  }
  void onInformational(StreamId stream) override { record.event(stream, head("informational", stream)); }
  void onResponseHeaders(StreamId stream, bool end) override {
    record.event(stream, head("response", stream));
    if (end) record.data(stream, {}, true);
  }
  void onResponseData(StreamId stream, std::string_view bytes, bool end) override {
    record.data(stream, bytes, end);
    if (consumes) codec->consumed(stream, bytes.size());
  }
  Trailers& beginResponseTrailers(StreamId stream) override { return responses[stream]->trailers; }
  void onResponseTrailers(StreamId stream) override {
    record.event(stream, "trailers" + listText(responses[stream]->trailers));
  }
  void onResponseReset(StreamId stream, ResetReason reason) override {
    record.event(stream, reasonText(reason));
    if (on_reset) on_reset(stream);
  }
  void onSendProgress(StreamId stream) override { record.event(stream, "progress"); }
  void onCapacityChanged() override { record.event(0, "capacity"); }

  bool feed(std::string_view bytes) {
    const std::vector<char> exact(bytes.begin(), bytes.end());
    codec->tellTime(now);
    error = codec->receive({exact.data(), exact.size()});
    return !error;
  }
  void settle(std::string_view entries = {}) {
    feed(settings(entries) + frame(kSettings, kAck, 0, {}));
    frames();
    events();
  }
  std::string events() { return joined(record.take()); }
  std::string frames() { return joined(reader.read(sink.take())); }
  StreamId send(std::string_view method = "GET", bool end = true, const Fields& fields = {},
                std::string_view upgrade = {}) {
    base::Arena arena;
    RequestHeaders head(arena);
    head.method = method;
    head.path = method == "CONNECT" ? "" : "/";
    head.authority = "a";
    head.upgrade = upgrade;
    for (const auto& [name, value] : fields) head.add(name, value);
    return codec->sendHeaders(head, end);
  }
  std::string response(uint32_t stream, const Fields& fields, bool end = false) {
    return headerFrames(stream, deflater.block(fields), end);
  }

  StringSink sink;
  Record record;
  FrameReader reader;
  Deflater deflater;
  std::map<StreamId, std::unique_ptr<Message<ResponseHeaders>>> responses;
  std::optional<ProtocolError> error;
  TimePoint now{};
  bool consumes = true;
  std::function<void(StreamId)> on_reset;
  std::unique_ptr<ClientCodec> codec;

 private:
  std::string head(std::string_view kind, StreamId stream) const {
    const ResponseHeaders& list = responses.at(stream)->head;
    return std::string(kind) + " " + std::to_string(list.status) + listText(list);
  }
};

}  // namespace sluice::http::h2
