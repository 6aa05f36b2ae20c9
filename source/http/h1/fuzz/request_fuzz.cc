// HTTP/1 requests: the same bytes in one piece and cut in pieces give the same events and answers; what the server
// codec accepts, a client codec can send on and a second server codec reads as the same request.
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

// Pieces of a size that depends on the bytes, so that the fuzzer finds its cuts.
std::string hear(std::string_view bytes, uint32_t seed, const CodecLimits& limits) {
  ServerRecorder server(limits);
  while (!bytes.empty() && !server.failed) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = seed == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 1 + (seed >> 24) % 40);
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    server.feed({exact.data(), exact.size()});
    bytes.remove_prefix(size);
  }
  if (!server.failed) server.feedEnd();
  return server.record.text() + "--\n" + server.sink.out;
}

// Passes each request on: the head and body that come out are read again.
class Forwarder final : public ServerEvents {
 public:
  Forwarder() : client_(makeClientCodec(no_events_, wire, {})), codec(makeServerCodec(*this, ignored_, {})) {}

  RequestHeaders& beginRequest(StreamId) override {
    arena_ = std::make_unique<base::Arena>();
    request_ = std::make_unique<RequestHeaders>(*arena_);
    return *request_;
  }
  void onRequestHeaders(StreamId, bool end, bool) override {
    std::string line(request_->method);
    line.append(" ").append(request_->path).append(" @").append(request_->authority);
    recordFields(line, *request_);
    record.event(line);
    upstream_ = client_->sendHeaders(*request_, end);
    if (end) done = true;
  }
  void onRequestData(StreamId, std::string_view data, bool end) override {
    record.data(data, end);
    client_->sendData(upstream_, data, end);
    if (end) done = true;
  }
  Trailers& beginRequestTrailers(StreamId) override {
    trailers_ = std::make_unique<Trailers>(*arena_);
    return *trailers_;
  }
  void onRequestTrailers(StreamId) override {
    std::string line("trailers");
    recordFields(line, *trailers_);
    record.event(line);
    client_->sendTrailers(upstream_, *trailers_);
    done = true;
  }
  void onRequestReset(StreamId, ResetReason) override {}

  StringSink wire;
  Record record;
  bool done = false;

 private:
  struct NoEvents final : ClientEvents {
    ResponseHeaders& beginResponse(StreamId) override { std::abort(); }
    void onInformational(StreamId) override {}
    void onResponseHeaders(StreamId, bool) override {}
    void onResponseData(StreamId, std::string_view, bool) override {}
    Trailers& beginResponseTrailers(StreamId) override { std::abort(); }
    void onResponseTrailers(StreamId) override {}
    void onResponseReset(StreamId, ResetReason) override {}
  };
  NoEvents no_events_;
  StringSink ignored_;
  std::unique_ptr<base::Arena> arena_;
  std::unique_ptr<RequestHeaders> request_;
  std::unique_ptr<Trailers> trailers_;
  std::unique_ptr<ClientCodec> client_;
  StreamId upstream_ = 0;

 public:
  std::unique_ptr<ServerCodec> codec;
};

// The first request of `bytes`, sent on and read again.
void roundTrip(std::string_view bytes) {
  Forwarder first;
  if (first.codec->receive(bytes) || !first.done) return;
  const std::string wire = first.wire.out;
  Forwarder second;
  const std::optional<ProtocolError> error = second.codec->receive(wire);
  // Absent content-length of a POST is said by us, and a field may be the one that we add; nothing else differs.
  require(!error && second.done, "a request that was sent on is not read again", first.record.text(), wire);
  require(second.codec->bufferedBytes() == 0, "a request that was sent on is read as more than one", bytes.data(),
          wire);
  Forwarder third;
  require(!third.codec->receive(second.wire.out), "the second passing on failed", wire, second.wire.out);
  require(third.wire.out == second.wire.out, "passing on is not stable", second.wire.out, third.wire.out);
}

}  // namespace
}  // namespace sluice::http::h1

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::h1;
  if (size < 2) return 0;
  sluice::http::CodecLimits limits;
  limits.accept_http_10 = data[0] & 1;
  limits.allow_chunked_length = data[0] & 2;
  limits.enable_trailers = !(data[0] & 4);
  limits.allow_absolute_url = !(data[0] & 8);
  if (data[0] & 16) limits.max_header_bytes = 100;
  if (data[0] & 32) limits.max_header_count = 2;
  if (data[0] & 64) {
    limits.report_only.add(sluice::http::StrictRule::kConnectPort);
    limits.report_only.add(sluice::http::StrictRule::kHostConflict);
    limits.report_only.add(sluice::http::StrictRule::kUnknownExpectation);
  }
  const uint32_t seed = data[1];
  const std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  ServerRecorder whole(limits);
  whole.feed(bytes);
  if (!whole.failed) whole.feedEnd();
  const std::string one = whole.record.text() + "--\n" + whole.sink.out;
  for (uint32_t i = 0; i < 3; ++i) {
    const std::string other = hear(bytes, seed + i * 256, limits);
    require(one == other, "cutting the bytes changed the events", one, other);
  }
  roundTrip(bytes);
  return 0;
}
