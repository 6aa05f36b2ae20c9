// What access loggers and tracers get of a worker, over both codecs.
#include <catch2/catch.hpp>
#include <map>

#include "source/http/h2/test_peer.h"
#include "source/session/test_session.h"
#include "test/support/filter/harness.h"

namespace sluice::session {
namespace {

using std::chrono::milliseconds;
namespace h2 = http::h2;
using filter::testing::FakeCalls;

// A client of either protocol that asks for a path at a time.
struct Asker {
  Asker(TestSession& session, bool http2) : session(session), http2(http2) {
    if (http2) session.settings->codec_type = CodecType::kHttp2;
    client = session.connect(http::h1::makeServerCodec, h2::makeServerCodec);
    if (http2) client->send(h2::preface() + h2::frame(h2::kSettings, h2::kAck, 0, {}));
    session.loop.turn();
  }
  void get(const std::string& path) {
    if (http2) {
      client->send(h2::headerFrames(
          id, deflater.block({{":method", "GET"}, {":scheme", "http"}, {":path", path}, {":authority", "a"}}), true));
      id += 2;
    } else {
      client->send("GET " + path + " HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    session.loop.turn();
  }

  TestSession& session;
  const bool http2;
  std::unique_ptr<TestClient> client;
  h2::Deflater deflater;
  uint32_t id = 1;
};

// --- a logger that batches to a gRPC peer ----------------------------------------------------------------------------

// One a worker: entries wait for the third, or for a while, and go out together on one stream.
class Batcher : private filter::GrpcEvents {
 public:
  Batcher(worker::WorkerServices& worker, int& live) : worker_(worker), live_(live) { ++live_; }
  ~Batcher() override { --live_; }

  void add(std::string_view entry) {
    batch_.append(entry).append("\n");
    if (++size_ == 1) flush_ = worker_.calls.after(milliseconds(1000), [this] { send(); });
    if (size_ < 3) return;
    flush_.reset();
    send();
  }

 private:
  void send() {
    if (!call_) call_ = worker_.calls.openGrpc({.cluster = "logs", .path = "/Logs/Stream"}, *this);
    call_->sendMessage(batch_, false);
    batch_.clear();
    size_ = 0;
  }
  void onGrpcMessage(std::string_view) override {}
  void onGrpcEnd(int, std::string_view) override { call_.reset(); }  // the next batch opens another one

  worker::WorkerServices& worker_;
  int& live_;
  std::string batch_;
  int size_ = 0;
  std::unique_ptr<filter::GrpcCall> call_;
  std::unique_ptr<filter::Call> flush_;
};

class BatchingLog : public stream::AccessLog {
 public:
  BatchingLog(const worker::LocalSlots& slots, int& live)
      : batcher_(slots, [&live](worker::WorkerServices& worker) { return std::make_unique<Batcher>(worker, live); }) {}
  void log(const stream::FormatContext& context, worker::WorkerServices& worker) const override {
    batcher_.get(worker).add(context.request->path);
  }

 private:
  const worker::WorkerLocal<Batcher> batcher_;
};

TEST_CASE("an access logger batches to a gRPC peer, each worker on a stream of its own") {
  const bool http2 = GENERATE(false, true);
  int live = 0;
  worker::LocalSlots slots;
  FakeCalls calls_a, calls_b;
  TestSession a(&calls_a, slots), b(&calls_b, slots);
  auto log = std::make_shared<const BatchingLog>(slots, live);
  for (TestSession* session : {&a, &b}) {
    session->settings->access_logs = {log};
    session->terminals.on_end = [](TestTerminal& stream) { stream.answer(200, "ok"); };
  }
  Asker client_a(a, http2), client_b(b, http2);

  for (const char* path : {"/1", "/2", "/3", "/4"}) client_a.get(path);
  client_b.get("/5");
  CHECK(live == 2);
  REQUIRE(calls_a.grpc.size() == 1);
  CHECK(calls_a.grpc[0]->messages == std::vector<std::string>{"/1\n/2\n/3\n"});
  CHECK(calls_b.grpc.empty());
  calls_b.expire();
  REQUIRE(calls_b.grpc.size() == 1);
  CHECK(calls_b.grpc[0]->messages == std::vector<std::string>{"/5\n"});

  // The peer goes; what comes later goes to its next incarnation.
  calls_a.grpc[0]->end(14);
  client_a.get("/6");
  client_a.get("/7");
  REQUIRE(calls_a.grpc.size() == 1);
  CHECK(calls_a.grpc[0]->messages == std::vector<std::string>{"/4\n/6\n/7\n"});

  // With the last configuration that names it, each worker's part goes in a turn of that worker.
  log.reset();
  a.settings->access_logs.clear();
  b.settings->access_logs.clear();
  CHECK(live == 2);
  a.loop.turn();
  CHECK(live == 1);
  CHECK(calls_a.grpc.empty());
  b.loop.turn();
  CHECK(live == 0);
}

// --- a filter with a cache

struct Cache {
  explicit Cache(int& live) : live(live) { ++live; }
  ~Cache() { --live; }
  int& live;
  std::map<std::string, std::string, std::less<>> answers;
};

// Answers from this worker's cache; what it has not goes on, and is in it from then on.
class CachingFilter : public filter::HttpFilter {
 public:
  explicit CachingFilter(const worker::WorkerLocal<Cache>& caches) : caches_(caches) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override {
    Cache& cache = caches_.get(context.worker());
    const auto known = cache.answers.find(headers.path);
    if (known != cache.answers.end()) return filter::Reply{200, known->second, "cached"};
    cache.answers.emplace(headers.path, "stored");
    return filter::Next{};
  }

 private:
  const worker::WorkerLocal<Cache>& caches_;
};

class CachingFactory : public filter::HttpFilterFactory {
 public:
  CachingFactory(const worker::LocalSlots& slots, int& live)
      : caches_(slots, [&live](worker::WorkerServices&) { return std::make_unique<Cache>(live); }) {}
  uint8_t hooks() const override { return filter::hooksOf<CachingFilter>(); }
  filter::HttpFilter* create(base::Arena& arena) const override {
    return filter::makeIn<CachingFilter>(arena, caches_);
  }

 private:
  const worker::WorkerLocal<Cache> caches_;
};

TEST_CASE("a filter has a cache on each worker, which goes with the last stream of its chain") {
  const bool http2 = GENERATE(false, true);
  int live = 0;
  worker::LocalSlots slots;
  TestSession a(nullptr, slots), b(nullptr, slots);
  auto factory = std::make_shared<CachingFactory>(slots, live);
  for (TestSession* session : {&a, &b}) {
    session->settings->chain = filter::fixedChain({{"cache", factory}});
    session->terminals.on_end = [](TestTerminal& stream) { stream.answer(200, "fresh"); };
  }
  {
    Asker client_a(a, http2), client_b(b, http2);
    for (int i = 0; i < 3; ++i) client_a.get("/x");
    client_b.get("/x");
    CHECK(a.log == std::vector<std::string>{"/x 200  -", "/x 200 cached -", "/x 200 cached -"});
    CHECK(b.log == std::vector<std::string>{"/x 200  -"});
    CHECK(live == 2);
  }

  // Of the configuration only the streams are left that it was for, and these are over.
  factory.reset();
  for (TestSession* session : {&a, &b}) session->settings->chain = filter::fixedChain({});
  for (TestSession* session : {&a, &b}) session->loop.turn();
  CHECK(live == 0);
}

// --- a tracer --------------------------------------------------------------------------------------------------------

struct Traces {
  std::vector<std::string> ended;
  int open = 0;
};

class TestSpan : public stream::Span {
 public:
  TestSpan(Traces& traces, std::string text) : traces_(traces), text_(std::move(text)) { ++traces_.open; }
  ~TestSpan() override { --traces_.open; }
  void tag(std::string_view name, std::string_view value) override {
    text_.append(" ").append(name).append("=").append(value);
  }
  void inject(http::RequestHeaders& request) override { request.add("x-trace", text_); }
  std::unique_ptr<Span> child(std::string_view operation) override {
    return std::make_unique<TestSpan>(traces_, text_ + "/" + std::string(operation));
  }
  void end(const stream::FormatContext& context) override {
    traces_.ended.push_back(text_ + " " + std::to_string(context.info.response_code));
  }

 private:
  Traces& traces_;
  std::string text_;
};

class TestTracer : public stream::Tracer {
 public:
  explicit TestTracer(Traces& traces) : traces_(traces) {}
  std::unique_ptr<stream::Span> begin(const stream::FormatContext& context, worker::WorkerServices&) const override {
    if (context.request->path == "/untraced") return nullptr;
    return std::make_unique<TestSpan>(traces_, std::string(context.request->path));
  }

 private:
  Traces& traces_;
};

TEST_CASE("a tracer gets a span for each stream that it wants, with tags, from its begin to its end") {
  const bool http2 = GENERATE(false, true);
  Traces traces;
  TestSession t;
  t.settings->tracer = std::make_shared<TestTracer>(traces);
  t.terminals.on_end = [](TestTerminal& stream) {
    if (stream::Span* span = stream.stream.info().span.get()) {
      span->tag("a", "b");
      span->inject(stream.stream.request());
    }
    stream.answer(stream.stream.request().get("x-trace") ? 200 : 201, "");
  };
  Asker client(t, http2);

  client.get("/one");
  client.get("/untraced");
  client.get("/two");
  CHECK(traces.ended == std::vector<std::string>{"/one a=b 200", "/two a=b 200"});
  CHECK(traces.open == 0);
}

TEST_CASE("the span of a stream ends when its client goes before the answer") {
  const bool http2 = GENERATE(false, true);
  Traces traces;
  TestSession t;
  t.settings->tracer = std::make_shared<TestTracer>(traces);
  Asker client(t, http2);
  client.get("/one");
  CHECK(traces.open == 1);

  client.client->close();
  CHECK(t.loop.until([&traces] { return traces.open == 0; }));
  REQUIRE(traces.ended.size() == 1);
  CHECK(traces.ended[0].starts_with("/one "));
}

TEST_CASE("entries of a stream say that it is over") {
  TestSession t;
  struct TypeLog : stream::AccessLog {
    void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
      types.emplace_back(textOf(context.type));
    }
    mutable std::vector<std::string> types;
  };
  auto log = std::make_shared<TypeLog>();
  t.settings->access_logs = {log};
  t.terminals.on_end = [](TestTerminal& stream) { stream.answer(200, "ok"); };
  Asker client(t, false);
  client.get("/");
  CHECK(log->types == std::vector<std::string>{"DownstreamEnd"});
}

}  // namespace
}  // namespace sluice::session
