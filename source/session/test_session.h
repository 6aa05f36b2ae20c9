// A session on one end of a socket pair, for tests: virtual time, real bytes, a scripted end of the filter chain.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "source/filter/terminal.h"
#include "source/http/h1/codec.h"
#include "source/net/test_socket.h"
#include "source/session/connection.h"
#include "source/worker/test_worker.h"
#include "test/support/filter/accepted.h"

namespace sluice::session {

// What the scripted terminal heard and may do.
class TestTerminal : public filter::Terminal {
 public:
  using Script = std::function<void(TestTerminal&)>;
  TestTerminal(std::vector<TestTerminal*>& all, const Script& on_head, const Script& on_end,
               filter::ChainRunner& runner, filter::Stream& stream, filter::Downstream& downstream)
      : runner(runner), stream(stream), downstream(downstream), all_(all), on_head_(on_head), on_end_(on_end) {
    all_.push_back(this);
  }
  ~TestTerminal() override { std::erase(all_, this); }

  void requestHeaders(bool end_stream) override {
    path = std::string(stream.request().path);
    ended = end_stream;
    if (on_head_) on_head_(*this);
    if (end_stream && on_end_ && !cancelled) on_end_(*this);
  }
  void requestData(std::string_view data, bool end_stream) override {
    body += data;
    ended = end_stream;
    if (end_stream && on_end_ && !cancelled) on_end_(*this);
  }
  void requestTrailers() override {
    ended = true;
    for (const http::Field& field : stream.requestTrailers()) body += "[" + std::string(field.name) + "]";
    if (on_end_ && !cancelled) on_end_(*this);
  }
  size_t unsentRequestBytes() const override { return unsent; }
  void responseCreditGrew() override {
    ++credit_grew;
    if (on_credit) on_credit(*this);
  }
  void deadlineExpired() override { expired = true; }
  void cancel() override { cancelled = true; }

  void head(uint16_t status, bool end, std::optional<size_t> length = std::nullopt) {
    http::ResponseHeaders& headers = stream.response();
    headers.clear();
    headers.status = status;
    if (length) headers.add(http::Name::kContentLength, std::to_string(*length));
    runner.responseHeaders(end);
  }
  void answer(uint16_t status, std::string_view text) {
    head(status, text.empty(), text.size());
    if (!text.empty()) runner.responseData(text, true);
  }

  filter::ChainRunner& runner;
  filter::Stream& stream;
  filter::Downstream& downstream;
  std::string path, body;
  size_t unsent = 0;
  int credit_grew = 0;
  bool ended = false, cancelled = false, expired = false;
  Script on_credit;

 private:
  std::vector<TestTerminal*>& all_;
  const Script& on_head_;
  const Script& on_end_;
};

struct TestTerminals {
  TestTerminal::Script on_head, on_end;  // on_end: the request is whole
  std::vector<TestTerminal*> live;       // oldest first
  int made = 0;
};

class TestTerminalConfig : public filter::TerminalConfig {
 public:
  explicit TestTerminalConfig(TestTerminals& terminals) : terminals_(terminals) {}
  filter::Terminal* make(worker::WorkerServices&, filter::ChainRunner& runner, filter::Stream& stream,
                         filter::Downstream& downstream) const override {
    ++terminals_.made;
    return filter::makeIn<TestTerminal>(stream.arena(), terminals_.live, terminals_.on_head, terminals_.on_end, runner,
                                        stream, downstream);
  }

 private:
  TestTerminals& terminals_;
};

// Access log lines as text.
class TestLog : public stream::AccessLog {
 public:
  explicit TestLog(std::vector<std::string>& lines) : lines_(lines) {}
  void log(const stream::FormatContext& context, worker::WorkerServices&) const override {
    std::string line = context.request == nullptr ? "-" : std::string(context.request->path);
    line += " " + std::to_string(context.info.response_code) + " " + std::string(context.info.response_code_details);
    std::string flags;
    for (unsigned i = 0; i < static_cast<unsigned>(stream::ResponseFlag::kCount); ++i) {
      const auto flag = static_cast<stream::ResponseFlag>(i);
      if (context.info.response_flags.has(flag)) flags += stream::shortTextOf(flag);
    }
    if (flags.empty()) flags = "-";
    lines_.push_back(line + " " + flags);
  }

 private:
  std::vector<std::string>& lines_;
};

using TestClient = net::TestSocket;

struct TestSession : worker::testing::TestWorker {
  TestSession() : TestSession(nullptr) {}
  // `filter_calls`: what filters ask of the world; null: nothing.
  explicit TestSession(filter::Calls* filter_calls, worker::LocalSlots slots = {})
      : TestWorker(filter_calls, std::move(slots)), worker(services, tables) {
    settings->chain = filter::fixedChain({});
    settings->terminal = std::make_shared<TestTerminalConfig>(terminals);
    settings->route_slot = std::make_shared<route::TableSlot>(route::TableSlot{0});
    settings->access_logs.push_back(std::make_shared<TestLog>(log));
    settings->stats.rq_total = stats.counter("rq_total");
    settings->stats.rq_active = stats.gauge("rq_active");
    settings->stats.cx_active = stats.gauge("cx_active");
    settings->stats.rq_completed = stats.counter("rq_completed");
    settings->stats.cx_protocol_error = stats.counter("cx_protocol_error");
    settings->stats.cx_idle_timeout = stats.counter("cx_idle_timeout");
    settings->stats.cx_max_requests_reached = stats.counter("cx_max_requests_reached");
    settings->stats.cx_max_duration_reached = stats.counter("cx_max_duration_reached");
    settings->stats.cx_http1_active = stats.gauge("cx_http1_active");
    settings->stats.cx_http2_active = stats.gauge("cx_http2_active");
    settings->stats.cx_ssl_active = stats.gauge("cx_ssl_active");
    settings->stats.cx_transport_failed = stats.counter("cx_transport_failed");
    settings->stats.cx_transport_timeout = stats.counter("cx_transport_timeout");
    settings->stats.cx_keepalive_timeout = stats.counter("cx_keepalive_timeout");
    settings->stats.rq_misdirected = stats.counter("rq_misdirected");
    settings->stats.rq_header_timeout = stats.counter("rq_header_timeout");
    settings->server_header = ServerHeader::kPassThrough;
    settings->codec_type = CodecType::kHttp1;
  }
  // Every connection is over at the end of a test, and every stream was counted out.
  ~TestSession() {
    while (!connections.empty()) connections.front().closeNow("test_end");
    loop.turn();
  }

  // A connection whose other end is given back.
  std::unique_ptr<TestClient> connect(decltype(CodecMakers::http1) http1 = http::h1::makeServerCodec,
                                      decltype(CodecMakers::http2) http2 = nullptr,
                                      std::function<void(filter::Accepted&)> change = nullptr) {
    return begin(net::unixPair(), {http1, http2}, change);
  }
  std::unique_ptr<TestClient> connectTcp() {
    return begin(net::tcpPair(), {http::h1::makeServerCodec, nullptr}, nullptr);
  }
  std::unique_ptr<TestClient> begin(net::SocketPair pair, CodecMakers makers,
                                    const std::function<void(filter::Accepted&)>& change) {
    filter::Accepted accepted = filter::testing::acceptedOf(std::move(pair.ours));
    if (change) change(accepted);
    last = &Connection::start(worker, settings, std::move(accepted), connections, makers);
    return std::make_unique<TestClient>(std::move(pair.peers));
  }
  size_t open() {
    size_t count = 0;
    connections.forEach([&count](filter::LiveConnection&) { ++count; });
    return count;
  }
  TestTerminal& stream(size_t index = 0) { return *terminals.live.at(index); }

  observability::StatsRegistry& stats = registry;
  RouteTables tables{[](std::shared_ptr<const route::Table>) {}};
  TestTerminals terminals;
  std::vector<std::string> log;
  std::shared_ptr<HttpSettings> settings = std::make_shared<HttpSettings>();
  SessionWorker worker;
  base::List<filter::LiveConnection> connections;
  Connection* last = nullptr;
};

}  // namespace sluice::session
