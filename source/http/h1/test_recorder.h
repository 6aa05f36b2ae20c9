// Owners of codecs that write down what they hear, for tests and fuzz targets. Pieces of a body are joined, so that the
// record does not depend on how the bytes were split.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/h1/codec.h"

namespace sluice::http::h1 {

class StringSink final : public ByteSink {
 public:
  void write(std::string_view bytes) override { out.append(bytes); }
  std::string out;
};

inline void recordFields(std::string& out, const HeaderList& list) {
  for (const Field& field : list) {
    out.append(" ").append(field.name).append("=").append(field.value);
  }
}

// One line for each event, bodies as one "data" line; an error ends the record.
class Record {
 public:
  void event(std::string_view text) {
    flush();
    text_.append(text).append("\n");
  }
  void data(std::string_view bytes, bool end) {
    data_.append(bytes);
    if (end) event("end");
  }
  const std::string& text() {
    flush();
    return text_;
  }

 private:
  void flush() {
    if (data_.empty()) return;
    text_.append("data ").append(data_).append("\n");
    data_.clear();
  }
  std::string text_;
  std::string data_;
};

// What the owners of both sides have. It is told of events by the class that derives from it.
template <typename Codec>
struct Recorder {
  void feed(std::string_view bytes) { note(codec->receive(bytes)); }
  void feedEnd() { note(codec->receiveEnd()); }
  void note(const std::optional<ProtocolError>& error) {
    if (!error) return;
    failed = true;
    record.event("error " + std::to_string(error->status) + " " + std::string(error->detail));
  }
  void noteTrailers(const Trailers& trailers) {
    std::string line("trailers");
    recordFields(line, trailers);
    record.event(line);
  }

  StringSink sink;
  StreamId last_stream = 0;
  bool failed = false;
  Record record;
  std::unique_ptr<Codec> codec;
};

// A server's owner. Answers each request with 200 once it is whole, if `answers` is set.
class ServerRecorder : public ServerEvents, public Recorder<ServerCodec> {
 public:
  explicit ServerRecorder(const CodecLimits& limits = {}) { codec = makeServerCodec(*this, sink, limits); }

  RequestHeaders& beginRequest(StreamId stream) override {
    arena = std::make_unique<base::Arena>();
    request = std::make_unique<RequestHeaders>(*arena);
    last_stream = stream;
    return *request;
  }
  void onRequestHeaders(StreamId, bool end_stream, bool expect_continue) override {
    std::string line(request->method);
    line.append(" ").append(request->path).append(" @").append(request->authority);
    if (!request->scheme.empty()) line.append(" ").append(request->scheme);
    if (request->protocol == Protocol::kHttp10) line.append(" 1.0");
    recordFields(line, *request);
    if (expect_continue) line.append(" (continue)");
    if (end_stream) line.append(" (end)");
    record.event(line);
    if (end_stream) onWhole();
  }
  void onRequestData(StreamId, std::string_view data, bool end_stream) override {
    record.data(data, end_stream);
    if (end_stream) onWhole();
  }
  Trailers& beginRequestTrailers(StreamId) override {
    trailers = std::make_unique<Trailers>(*arena);
    return *trailers;
  }
  void onRequestTrailers(StreamId) override {
    noteTrailers(*trailers);
    onWhole();
  }
  void onRequestReset(StreamId, ResetReason) override { record.event("reset"); }

  void resume() { note(codec->resumeInput()); }
  void reply(uint16_t status, std::string_view body) {
    base::Arena reply_arena;
    ResponseHeaders headers(reply_arena);
    headers.status = status;
    if (!body.empty()) headers.add(Name::kContentLength, std::to_string(body.size()));
    codec->sendHeaders(last_stream, headers, body.empty());
    if (!body.empty()) codec->sendData(last_stream, body, true);
  }

  std::unique_ptr<base::Arena> arena;
  std::unique_ptr<RequestHeaders> request;
  std::unique_ptr<Trailers> trailers;
  bool answers = true;

 private:
  void onWhole() {
    if (answers) reply(200, "");
  }
};

// A client's owner with one request sent.
class ClientRecorder : public ClientEvents, public Recorder<ClientCodec> {
 public:
  explicit ClientRecorder(std::string_view method = "GET", const CodecLimits& limits = {}) {
    codec = makeClientCodec(*this, sink, limits);
    if (!method.empty()) send(method);
  }

  void send(std::string_view method, bool end_stream = true) {
    base::Arena request_arena;
    RequestHeaders request(request_arena);
    request.method = method;
    request.path = "/";
    request.authority = "a";
    last_stream = codec->sendHeaders(request, end_stream);
  }

  ResponseHeaders& beginResponse(StreamId) override {
    arenas.push_back(std::make_unique<base::Arena>());
    response = std::make_unique<ResponseHeaders>(*arenas.back());
    return *response;
  }
  void onInformational(StreamId) override { record.event(head("informational")); }
  void onResponseHeaders(StreamId, bool end_stream) override {
    record.event(head("response") + (end_stream ? " (end)" : ""));
    ended |= end_stream;
  }
  void onResponseData(StreamId, std::string_view data, bool end_stream) override {
    record.data(data, end_stream);
    ended |= end_stream;
  }
  Trailers& beginResponseTrailers(StreamId) override {
    trailers = std::make_unique<Trailers>(*arenas.back());
    return *trailers;
  }
  void onResponseTrailers(StreamId) override {
    noteTrailers(*trailers);
    ended = true;
  }
  void onResponseReset(StreamId, ResetReason) override { record.event("reset"); }

  std::vector<std::unique_ptr<base::Arena>> arenas;
  std::unique_ptr<ResponseHeaders> response;
  std::unique_ptr<Trailers> trailers;
  bool ended = false;

 private:
  std::string head(std::string_view kind) const {
    std::string line(kind);
    line.append(" ").append(std::to_string(response->status));
    if (!response->reason.empty()) line.append(" '").append(response->reason).append("'");
    recordFields(line, *response);
    return line;
  }
};

// Feeds `bytes` in one piece, byte by byte, and in two pieces cut at every place; `record` is that of the one piece.
// `same` is false where any other gave a different record.
struct SplitResult {
  std::string record;
  bool same = true;
  std::string differing;  // the first other record
};

template <typename Recorder, typename... Args>
SplitResult feedEveryWay(std::string_view bytes, bool end, const Args&... args) {
  const auto run = [&](size_t cut, bool bytewise) {
    Recorder recorder(args...);
    const auto feed = [&](std::string_view piece) {
      // A copy of exactly this size, so that a sanitizer sees any look beyond it.
      const std::vector<char> exact(piece.begin(), piece.end());
      if (!recorder.failed && !piece.empty()) recorder.feed({exact.data(), exact.size()});
    };
    if (bytewise) {
      for (size_t i = 0; i < bytes.size(); ++i) feed(bytes.substr(i, 1));
    } else {
      feed(bytes.substr(0, cut));
      feed(bytes.substr(cut));
    }
    if (end && !recorder.failed) recorder.feedEnd();
    return recorder.record.text() + "--\n" + recorder.sink.out;
  };
  SplitResult result;
  const std::string whole = run(0, false);
  result.record = whole.substr(0, whole.find("--\n"));
  const size_t cuts = std::min<size_t>(bytes.size(), 2000);
  for (size_t cut = 0; cut <= cuts && result.same; ++cut) {
    const std::string other = cut == 0 ? run(0, true) : run(cut, false);
    if (other == whole) continue;
    result.same = false;
    result.differing = other;
  }
  return result;
}

}  // namespace sluice::http::h1
