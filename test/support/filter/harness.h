// A chain of HTTP filters between a fake client and a fake upstream, for tests of filters and of the engine.
//
//   Harness harness({std::make_shared<FilterFactory>(settings)});
//   harness.request("POST", {{"x-key", "1"}}, false);
//   harness.runner->requestData("body", true);
//   harness.respond(200, {}, true);
//   CHECK(harness.terminal.body == "body");
//
// Everything happens on the caller's stack; call-outs wait until the test answers them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/chain.h"
#include "source/filter/terminal.h"
#include "source/worker/test_worker.h"
#include "test/support/filter/fake_calls.h"

namespace sluice::filter::testing {

using Log = std::vector<std::string>;

Fields fieldsOf(const http::HeaderList& headers);

class FakeStream : public Stream {
 public:
  explicit FakeStream(FakeCalls& calls) : calls_(calls) {}

  Calls& calls() override { return calls_; }
  worker::WorkerServices& worker() override { return testWorker().services; }
  worker::testing::TestWorker& testWorker() {
    if (shared_worker != nullptr) return *shared_worker;
    if (!worker_) worker_ = std::make_unique<worker::testing::TestWorker>(&calls_);
    return *worker_;
  }
  observability::StatsCells& cells() override { return cells_; }
  uint64_t random() override { return next_random; }
  Time now() const override { return time; }
  void setRoute(const route::Match& match) { route_ = match; }

  uint64_t next_random = 0;
  Time time{};
  worker::testing::TestWorker* shared_worker = nullptr;  // of several streams; null: its own
  bool routes_may_come = false;                          // filters may wait for some
  bool clusters_may_come = false;                        // the same
  base::List<RouteWaiter> route_waiters;                 // those that do

 private:
  void chooseRoute() override { route_ = route_.table->match(request(), next_random); }
  bool awaitRoutes(RouteWaiter& waiter) override {
    if (routes_may_come) route_waiters.pushBack(waiter);
    return routes_may_come;
  }
  bool awaitCluster(const std::shared_ptr<const route::ClusterSource>&, std::string_view,
                    RouteWaiter& waiter) override {
    if (clusters_may_come) route_waiters.pushBack(waiter);
    return clusters_may_come;
  }

  FakeCalls& calls_;
  observability::StatsCells cells_;
  std::unique_ptr<worker::testing::TestWorker> worker_;  // made for who asks
};

// What a client got.
struct ClientRecord {
  int heads = 0;
  uint16_t status = 0;
  Fields headers;
  std::string body;
  Fields trailers;
  bool complete = false;
  std::string reset;  // why
  std::string wrong;  // what may not be, whatever it is an answer to
  // Whether all credit was there when the response was complete.
  bool credit_was_full = false;
};

// The client: takes one response, and ends the stream with it as the session does.
class FakeClient : public Downstream, public ClientRecord {
 public:
  explicit FakeClient(Log& log) : log_(log) {}

  void sendInformational(const http::ResponseHeaders& headers) override;
  void sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) override;
  void sendResponseData(std::string_view data, bool end_stream) override;
  void sendResponseTrailers(http::Trailers& trailers) override;
  void resetStream(std::string_view details) override;
  size_t unsentResponseBytes() const override { return unsent; }
  void armDeadline(std::chrono::milliseconds) override {}
  void requestCreditGrew() override { ++credit_grew; }
  void tunnelEnded() override {}
  const ReplyMapper* replyMapper() const override { return mapper; }

  const ReplyMapper* mapper = nullptr;
  size_t unsent = 0;
  int credit_grew = 0;

 private:
  friend class Harness;
  void finish();
  Log& log_;
  ChainRunner* runner_ = nullptr;
};

// The upstream: takes the request; the test gives the response through Harness.
class FakeTerminal : public Terminal {
 public:
  explicit FakeTerminal(Log& log) : log_(log) {}
  void attach(Stream& stream) { stream_ = &stream; }

  void requestHeaders(bool end_stream) override;
  void requestData(std::string_view data, bool end_stream) override;
  void requestTrailers() override;
  size_t unsentRequestBytes() const override { return unsent; }
  void responseCreditGrew() override { ++credit_grew; }
  void deadlineExpired() override {}
  void cancel() override;

  int heads = 0;
  Fields headers;
  std::string body;
  Fields trailers;
  bool complete = false;
  bool cancelled = false;
  bool heard_late = false;  // something behind the end of the request, or when it was cancelled
  size_t unsent = 0;
  int credit_grew = 0;
  std::function<void()> on_headers;  // what it does when the head comes

 private:
  Log& log_;
  Stream* stream_ = nullptr;
};

// Named "f0", "f1" and so on, with the slots 0, 1 and so on.
std::vector<ChainConfig::Entry> entriesOf(std::vector<std::shared_ptr<const HttpFilterFactory>> factories);

// One route for everything; `settings`: its own ones for the filters, by position; null for none.
std::shared_ptr<const route::Table> tableOf(std::vector<std::shared_ptr<const route::PerFilterConfig>> settings = {});

class Harness {
 public:
  // `route_settings`: the route's own settings for the filters, by position; null for none.
  explicit Harness(std::vector<std::shared_ptr<const HttpFilterFactory>> factories,
                   std::vector<std::shared_ptr<const route::PerFilterConfig>> route_settings = {})
      : Harness(entriesOf(std::move(factories)), tableOf(std::move(route_settings))) {}
  Harness(std::vector<ChainConfig::Entry> entries, std::shared_ptr<const route::Table> table);
  ~Harness() {
    runner.reset();
    if (own_terminal_ != nullptr) own_terminal_->~Terminal();
  }

  // Ends the chain in a terminal filter instead of `terminal`. Before the request.
  void endIn(const TerminalConfig& config) {
    own_terminal_ = config.make(stream.worker(), *runner, stream, client);
    runner->setTerminal(*own_terminal_);
  }

  // The head of the request.
  void request(std::string_view method, const Fields& fields, bool end_stream);
  void requestTrailers(const Fields& fields);
  // The head of the upstream's response.
  void respond(uint16_t status, const Fields& fields, bool end_stream);
  void responseTrailers(const Fields& fields);
  // How often a counter with this id was counted.
  int counted(observability::Counter counter) { return static_cast<int>(stream.cells().read(counter.id)); }

  Log log;
  FakeCalls calls;
  FakeStream stream;
  FakeClient client;
  FakeTerminal terminal;

 private:
  ChainConfig config_;
  std::shared_ptr<const route::Table> table_;
  Terminal* own_terminal_ = nullptr;

 public:
  std::optional<ChainRunner> runner;
};

// A filter whose hooks are functions; hooks without one go on. Every call is logged as "NAME.HOOK".
struct Script {
  std::string name = "f";
  uint8_t hooks = 0x3f;  // all that are logged
  std::function<HookResult(http::RequestHeaders&, Context&)> request_headers = {};
  std::function<HookResult(Chunk&, Context&)> request_data = {};
  std::function<HookResult(Body&, Context&)> request_body = {};
  std::function<HookResult(http::Trailers&, Context&)> request_trailers = {};
  std::function<HookResult(http::ResponseHeaders&, Context&)> response_headers = {};
  std::function<HookResult(Chunk&, Context&)> response_data = {};
  std::function<HookResult(Body&, Context&)> response_body = {};
  std::function<HookResult(http::Trailers&, Context&)> response_trailers = {};
  std::function<std::optional<Reply>(Context&)> route_changed = {};  // not logged; with kRouteChanged in `hooks`
  std::function<void(Context&)> stream_end = {};                     // not logged
  Log* log = nullptr;
};

// `script` outlives the factory and its filters.
std::shared_ptr<const HttpFilterFactory> scripted(const Script& script);

}  // namespace sluice::filter::testing
