// HTTP/1 responses: the same bytes in one piece and cut in pieces give the same events; what the client codec accepts,
// a server codec can send on and a second client codec reads as one response.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "source/http/h1/test_recorder.h"

namespace sluice::http::h1 {
namespace {

void require(bool holds, const char* what, const std::string& a, const std::string& b) {
  if (holds) return;
  std::fprintf(stderr, "%s\n--- one\n%s\n--- other\n%s\n", what, a.c_str(), b.c_str());
  std::abort();
}

std::string hear(std::string_view bytes, uint32_t seed, bool whole, std::string_view method,
                 const CodecLimits& limits) {
  ClientRecorder client(method, limits);
  while (!bytes.empty() && !client.failed) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = whole ? bytes.size() : std::min<size_t>(bytes.size(), 1 + (seed >> 24) % 40);
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    client.feed({exact.data(), exact.size()});
    bytes.remove_prefix(size);
  }
  if (!client.failed) client.feedEnd();
  return client.record.text() + (client.codec->reusable() ? "reusable" : "");
}

// Passes a response on to a server codec that has a request open.
class Forwarder final : public ClientEvents {
 public:
  explicit Forwarder(std::string_view method) : codec(makeClientCodec(*this, ignored_, {})) {
    downstream.answers = false;
    downstream.feed(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    base::Arena arena;
    RequestHeaders request(arena);
    request.method = method;
    request.path = "/";
    request.authority = "a";
    codec->sendHeaders(request, true);
  }
  ResponseHeaders& beginResponse(StreamId) override {
    arenas_.push_back(std::make_unique<base::Arena>());
    response_ = std::make_unique<ResponseHeaders>(*arenas_.back());
    return *response_;
  }
  void onInformational(StreamId) override { downstream.codec->sendInformational(1, *response_); }
  void onResponseHeaders(StreamId, bool end) override {
    downstream.codec->sendHeaders(1, *response_, end);
    done |= end;
  }
  void onResponseData(StreamId, std::string_view data, bool end) override {
    downstream.codec->sendData(1, data, end);
    done |= end;
  }
  Trailers& beginResponseTrailers(StreamId) override {
    trailers_ = std::make_unique<Trailers>(*arenas_.back());
    return *trailers_;
  }
  void onResponseTrailers(StreamId) override {
    downstream.codec->sendTrailers(1, *trailers_);
    done = true;
  }
  void onResponseReset(StreamId, ResetReason) override {}

  ServerRecorder downstream;
  bool done = false;

 private:
  StringSink ignored_;
  std::vector<std::unique_ptr<base::Arena>> arenas_;
  std::unique_ptr<ResponseHeaders> response_;
  std::unique_ptr<Trailers> trailers_;

 public:
  std::unique_ptr<ClientCodec> codec;
};

void roundTrip(std::string_view bytes, std::string_view method) {
  Forwarder first(method);
  if (first.codec->receive(bytes)) return;
  if (!first.done && first.codec->receiveEnd()) return;
  const std::string wire = first.downstream.sink.out;
  Forwarder second(method);
  const std::optional<ProtocolError> error = second.codec->receive(wire);
  require(!error && second.done, "a response that was sent on is not read as one response", std::string(bytes), wire);
}

}  // namespace
}  // namespace sluice::http::h1

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::h1;
  if (size < 2) return 0;
  sluice::http::CodecLimits limits;
  limits.allow_chunked_length = data[0] & 1;
  limits.enable_trailers = !(data[0] & 2);
  if (data[0] & 4) limits.max_header_bytes = 100;
  if (data[0] & 8) limits.max_header_count = 2;
  const std::string_view method = data[0] & 16 ? "HEAD" : "GET";
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string one = hear(bytes, 0, true, method, limits);
  for (uint32_t i = 0; i < 3; ++i) {
    const std::string other = hear(bytes, data[1] + i * 256, false, method, limits);
    require(one == other, "cutting the bytes changed the events", one, other);
  }
  roundTrip(bytes, method);
  return 0;
}
