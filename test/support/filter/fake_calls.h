// Call-outs and timers that wait until the test answers them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/event/timer.h"
#include "source/filter/calls.h"

namespace sluice::filter::testing {

using Fields = std::vector<std::pair<std::string, std::string>>;

class FakeCalls;

// A gRPC call that the test answers.
class FakeGrpcCall : public GrpcCall {
 public:
  FakeGrpcCall(FakeCalls& calls, GrpcCallRequest request, GrpcEvents& events)
      : request(std::move(request)), calls_(calls), events_(events) {}
  ~FakeGrpcCall() override;

  void sendMessage(std::string_view message, bool last) override {
    messages.emplace_back(message);
    client_ended |= last;
  }
  void sendEnd() override { client_ended = true; }
  size_t unsentBytes() const override { return 0; }

  // The server's side. Each may destroy the call.
  void message(std::string_view message) { events_.onGrpcMessage(message); }
  void end(int status, std::string_view message = {}) {
    ended = true;
    events_.onGrpcEnd(status, message);
  }

  const GrpcCallRequest request;
  std::vector<std::string> messages;  // sent by the filter
  size_t answered = 0;                // of these; counted by whoever answers
  bool client_ended = false;
  bool ended = false;

 private:
  FakeCalls& calls_;
  GrpcEvents& events_;
};

// An HTTP call in pieces that the test answers.
class FakeHttpCall : public HttpStreamCall {
 public:
  FakeHttpCall(FakeCalls& calls, HttpCallRequest request, bool end_stream, HttpStreamEvents& events)
      : request(std::move(request)), ended(end_stream), events(events), calls_(calls) {}
  ~FakeHttpCall() override;

  void sendData(std::string_view data, bool end_stream) override {
    body.append(data);
    ended |= end_stream;
  }
  void sendTrailers(Fields fields) override {
    trailers = std::move(fields);
    ended = true;
  }
  size_t unsentBytes() const override { return unsent; }
  void resumeReading() override { ++resumed; }

  const HttpCallRequest request;
  std::string body;  // sent by the filter
  Fields trailers;
  bool ended;  // the filter's side
  size_t unsent = 0;
  int resumed = 0;
  HttpStreamEvents& events;  // the host's side; each event may destroy the call

 private:
  FakeCalls& calls_;
};

// Call-outs that the test answers, and timers that it expires.
class FakeCalls : public Calls {
 public:
  std::unique_ptr<GrpcCall> openGrpc(GrpcCallRequest request, GrpcEvents& events) override;
  std::unique_ptr<Call> send(HttpCallRequest request, std::function<void(HttpCallResponse)> on_response) override;
  std::unique_ptr<HttpStreamCall> openHttp(HttpCallRequest request, bool end_stream, HttpStreamEvents& events) override;
  bool sendDetached(HttpCallRequest request) override {
    detached.push_back(std::move(request));
    return true;
  }
  std::unique_ptr<Call> after(std::chrono::milliseconds delay, std::function<void()> on_expiry) override;
  void count(std::string_view cluster, std::string_view name, uint64_t n) override {
    counts[std::string(cluster).append(".").append(name)] += n;
  }

  // Timers expire by this clock instead; null: when the test says so.
  event::TimerQueue* clock = nullptr;

  // How many wait: sent (or armed), not answered, not cancelled.
  size_t waiting() const { return waiting_.size(); }
  bool isTimer(size_t index) const { return waiting_[index]->timer; }
  // Expires the first timer that waits.
  void expire();
  // Calls that are open at this side.
  std::vector<FakeGrpcCall*> grpc;
  std::vector<FakeHttpCall*> http;
  std::vector<HttpCallRequest> detached;
  const HttpCallRequest& request(size_t index = 0) const { return waiting_[index]->request; }
  // Of a timer its expiry, whatever the response.
  void answer(HttpCallResponse response, size_t index = 0);

  std::vector<HttpCallRequest> sent;
  std::map<std::string, uint64_t> counts;  // "CLUSTER.NAME"

 private:
  struct Waiting : Call {
    ~Waiting() override;
    FakeCalls* calls = nullptr;
    bool timer = false;
    HttpCallRequest request;
    std::function<void(HttpCallResponse)> on_response;
  };
  std::unique_ptr<Waiting> add(HttpCallRequest request, std::function<void(HttpCallResponse)> on_response);
  std::vector<Waiting*> waiting_;
};

}  // namespace sluice::filter::testing
