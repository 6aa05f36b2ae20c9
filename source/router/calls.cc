#include "source/router/calls.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "source/http/rules.h"
#include "source/router/call_head.h"
#include "source/router/grpc_call.h"
#include "source/router/host_choice.h"
#include "source/router/stream_call.h"
#include "source/upstream/attempt.h"
#include "source/worker/timer_call.h"

namespace sluice::router {
namespace {

using filter::HttpCallRequest;
using filter::HttpCallResponse;
using upstream::AttemptEnd;
using upstream::RetryState;

// One request to a cluster with its whole body at hand, and its whole answer, bounded.
class ClusterCall final : public filter::Call, public upstream::AttemptOf<ClusterCall>, private event::TurnTask {
 public:
  ClusterCall(event::Loop& loop, upstream::ClusterSet& clusters, HttpCallRequest request,
              std::function<void(HttpCallResponse)> on_response)
      : AttemptOf(arena_),
        loop_(loop),
        request_(std::move(request)),
        on_response_(std::move(on_response)),
        timer_(loop.timers(), [this] { expire(); }) {
    if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
    setCluster(clusters.find(request_.cluster));
    loop_.atTurnEnd(*this);  // never an answer inside send()
  }
  ~ClusterCall() override { cancel(); }

 private:
  friend class upstream::AttemptOf<ClusterCall>;

  void runAtTurnEnd() override { finished_ ? deliver() : begin(); }
  void begin() {
    if (request_.method == "CONNECT") return fail("protocol_error");  // its answer would be a tunnel, not a word
    if (!cluster()) return fail("no_cluster");
    writeHead(request_, scheme(), headers_);
    if (!request_.body.empty()) headers_.set(http::Name::kContentLength, absl::StrCat(request_.body.size()));
    if (cluster()->drops() != upstream::WorkerCluster::Drop::kNone) return fail("drop_overload");
    if (!take(pickHost(*cluster(), headers_, nullptr))) return fail("no_healthy_upstream");
    headers_.scheme = scheme();
    start(headers_, {}, upstream::cluster::RoutingPriority::kDefault);
  }

  void onReady() override {
    sendHead(request_.body.empty());
    if (!request_.body.empty()) sendData(request_.body, true);
  }
  http::Trailers& beginTrailers() { return trailers_; }
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {}

  std::optional<RetryState::Repeat> retry(const AttemptEnd& failure) {
    return retries_.after(failure, {.idempotent = http::idempotent(request_.method), .at_hand = true});
  }
  void onFailed(const AttemptEnd& failure) { fail(failureOf(failure)); }
  void onInterimHead() {}
  void onHead(bool end_stream) {
    response_.status = status();
    for (const http::Field& field : responseHead()) response_.headers.emplace_back(field.name, field.value);
    if (end_stream) finish();
  }
  void onData(std::string_view data, bool end_stream) {
    if (response_.body.size() + data.size() > request_.max_response_body) return fail("response_too_large");
    response_.body.append(data);
    if (end_stream) finish();
  }
  void onTrailers() { finish(); }

  void fail(std::string_view why) {
    response_ = {};
    response_.failure = why;
    finish();
  }
  // The answer goes out at the end of the turn, outside of the pool's and the codec's calls.
  void finish() {
    if (finished_) return;
    finished_ = true;
    timer_.cancel();
    cancel();
    loop_.atTurnEnd(*this);
  }
  void deliver() {
    // The receiver may destroy this call.
    const auto on_response = std::move(on_response_);
    HttpCallResponse response = std::move(response_);
    on_response(std::move(response));
  }

  event::Loop& loop_;
  HttpCallRequest request_;
  std::function<void(HttpCallResponse)> on_response_;
  base::Arena arena_;
  http::RequestHeaders headers_{arena_};
  http::Trailers trailers_{arena_};
  RetryState retries_;
  HttpCallResponse response_;
  event::Timer timer_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<filter::Call> ClusterCalls::send(HttpCallRequest request,
                                                 std::function<void(HttpCallResponse)> on_response) {
  return std::make_unique<ClusterCall>(loop_, clusters_, std::move(request), std::move(on_response));
}

std::unique_ptr<filter::GrpcCall> ClusterCalls::openGrpc(filter::GrpcCallRequest request, filter::GrpcEvents& events) {
  return std::make_unique<ClusterGrpcCall>(loop_, clusters_, std::move(request), events);
}

std::unique_ptr<filter::HttpStreamCall> ClusterCalls::openHttp(HttpCallRequest request, bool end_stream,
                                                               filter::HttpStreamEvents& events) {
  return std::make_unique<StreamCall>(loop_, clusters_, std::move(request), end_stream, events);
}

std::unique_ptr<filter::Call> ClusterCalls::after(std::chrono::milliseconds delay, std::function<void()> on_expiry) {
  return std::make_unique<worker::TimerCall>(loop_.timers(), delay, std::move(on_expiry));
}

void ClusterCalls::count(std::string_view cluster, std::string_view name, uint64_t n) {
  if (const auto found = clusters_.find(cluster)) found->lateCounts().add(name, n);
}

}  // namespace sluice::router
