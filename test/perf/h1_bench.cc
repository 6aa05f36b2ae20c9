// Costs of the HTTP/1 codec: heads read and written, in nanoseconds, and with
// `valgrind --tool=callgrind --toggle-collect='*receive*'` in instructions.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

#include "source/http/h1/codec.h"

namespace sluice::http::h1 {
namespace {

constexpr std::string_view kMinimal =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk/4.1.0\r\nAccept: */*\r\n\r\n";

constexpr std::string_view kBrowser =
    "GET /products/index.html?page=2&sort=price HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Referer: https://www.example.com/products\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-US,en;q=0.9\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n";

constexpr std::string_view kUpstream =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 22:57:18 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 4\r\nLast-Modified: Fri, 20 Nov 2026 20:00:00 GMT\r\nETag: \"65\"\r\n\r\nbody";

class NullSink final : public ByteSink {
 public:
  void write(std::string_view bytes) override { benchmark::DoNotOptimize(bytes.data()); }
};

// Reads each request into one recycled arena and answers it.
class Server final : public ServerEvents {
 public:
  Server() : request(arena), answer(answer_arena), codec(makeServerCodec(*this, sink, {})) {
    answer.status = 200;
    answer.addView(Name::kContentType, "text/plain");
    answer.addView(Name::kContentLength, "0");
    answer.addView(Name::kDate, "Fri, 20 Nov 2026 22:57:18 GMT");
    answer.addView(Name::kServer, "sluice");
    answer.addView(Name::kXEnvoyUpstreamServiceTime, "1");
  }
  RequestHeaders& beginRequest(StreamId stream) override {
    arena.reset();
    std::destroy_at(&request);
    std::construct_at(&request, arena);
    last = stream;
    return request;
  }
  void onRequestHeaders(StreamId, bool, bool) override { benchmark::DoNotOptimize(request.begin()); }
  void onRequestData(StreamId, std::string_view, bool) override {}
  Trailers& beginRequestTrailers(StreamId) override { return request; }
  void onRequestTrailers(StreamId) override {}
  void onRequestReset(StreamId, ResetReason) override {}

  base::Arena arena;
  RequestHeaders request;
  base::Arena answer_arena;
  ResponseHeaders answer;
  NullSink sink;
  StreamId last = 0;
  std::unique_ptr<ServerCodec> codec;
};

class Client final : public ClientEvents {
 public:
  Client() : response(arena), request(request_arena), codec(makeClientCodec(*this, sink, {})) {
    request.method = "GET";
    request.path = "/products/index.html?page=2&sort=price";
    request.authority = "www.example.com";
    request.addView(Name::kUserAgent, "wrk/4.1.0");
    request.addView(Name::kAccept, "*/*");
    request.addView(Name::kXForwardedFor, "10.0.0.1");
    request.addView(Name::kXForwardedProto, "http");
    request.addView(Name::kXRequestId, "6a1f4b6c-58a5-4c3e-9d3e-2f2f0a5a7c11");
    request.addView(Name::kXEnvoyExpectedRqTimeoutMs, "15000");
  }
  ResponseHeaders& beginResponse(StreamId) override {
    arena.reset();
    std::destroy_at(&response);
    std::construct_at(&response, arena);
    return response;
  }
  void onInformational(StreamId) override {}
  void onResponseHeaders(StreamId, bool) override { benchmark::DoNotOptimize(response.begin()); }
  void onResponseData(StreamId, std::string_view, bool) override {}
  Trailers& beginResponseTrailers(StreamId) override { return response; }
  void onResponseTrailers(StreamId) override {}
  void onResponseReset(StreamId, ResetReason) override {}

  base::Arena arena;
  ResponseHeaders response;
  base::Arena request_arena;
  RequestHeaders request;
  NullSink sink;
  std::unique_ptr<ClientCodec> codec;
};

void readAndAnswer(benchmark::State& state, std::string_view text) {
  Server server;
  for (auto _ : state) {
    if (server.codec->receive(text)) std::abort();
    server.codec->sendHeaders(server.last, server.answer, true);
  }
}
void minimalRequestAndResponse(benchmark::State& state) {
  readAndAnswer(state, kMinimal);
}
void browserRequestAndResponse(benchmark::State& state) {
  readAndAnswer(state, kBrowser);
}

void upstreamRequestAndResponse(benchmark::State& state) {
  Client client;
  for (auto _ : state) {
    client.codec->sendHeaders(client.request, true);
    if (client.codec->receive(kUpstream)) std::abort();
  }
}

void nameLookup(benchmark::State& state) {
  const std::string names[] = {"user-agent", "accept", "x-forwarded-for", "sec-fetch-mode"};
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(nameOf(names[i++ & 3]));
}

BENCHMARK(minimalRequestAndResponse);
BENCHMARK(browserRequestAndResponse);
BENCHMARK(upstreamRequestAndResponse);
BENCHMARK(nameLookup);

}  // namespace
}  // namespace sluice::http::h1

BENCHMARK_MAIN();
