#include "source/router/calls.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "source/http/rules.h"
#include "source/router/grpc_call.h"
#include "source/router/lease.h"

namespace sluice::router {
namespace {

namespace pool = upstream::pool;
using filter::HttpCallRequest;
using filter::HttpCallResponse;

class TimerCall : public filter::Call {
 public:
  TimerCall(event::TimerQueue& timers, std::chrono::milliseconds delay, std::function<void()> on_expiry)
      : timer_(timers, std::move(on_expiry)) {
    timer_.arm(delay);
  }

 private:
  event::Timer timer_;
};

// One request to a cluster with its whole body at hand, and its whole answer, bounded.
class ClusterCall : public filter::Call, private pool::ExchangeEvents, private event::TurnTask {
 public:
  ClusterCall(event::Loop& loop, upstream::ClusterSet& clusters, observability::StatsCells& cells,
              HttpCallRequest request, std::function<void(HttpCallResponse)> on_response)
      : loop_(loop),
        request_(std::move(request)),
        on_response_(std::move(on_response)),
        headers_(arena_),
        lease_(cells),
        timer_(loop.timers(), [this] { fail("timeout"); }) {
    if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
    lease_.setCluster(clusters.find(request_.cluster));
    loop_.atTurnEnd(*this);  // never an answer inside send()
  }

 private:
  void runAtTurnEnd() override {
    if (finished_) return deliver();
    if (request_.method == "CONNECT") return fail("protocol_error");  // its answer would be a tunnel, not a word
    headers_.method = request_.method;
    headers_.path = request_.path;
    headers_.scheme = lease_.scheme();
    headers_.authority = request_.authority.empty() ? std::string_view(request_.cluster) : request_.authority;
    for (const auto& [name, value] : request_.headers) headers_.addView(name, value);
    if (!request_.body.empty()) headers_.set(http::Name::kContentLength, absl::StrCat(request_.body.size()));
    if (const std::string_view why = lease_.take(headers_); !why.empty()) return fail(why);
    lease_.pool().request(exchange_, {});
  }

  void onReady() override {
    exchange_.sendHeaders(headers_, request_.body.empty());
    if (!request_.body.empty()) exchange_.sendData(request_.body, true);
  }
  void onFailure(pool::Failure failure, std::string_view) override {
    fail(failure == pool::Failure::kOverflow ? "overflow" : "connect_failed");
  }

  http::ResponseHeaders& beginResponse() override { return response_headers_.emplace(response_arena_); }
  void onInformational() override {}
  void onResponseHeaders(bool end_stream) override {
    response_.status = response_headers_->status;
    for (const http::Field& field : *response_headers_) response_.headers.emplace_back(field.name, field.value);
    if (end_stream) finish();
  }
  void onResponseData(std::string_view data, bool end_stream) override {
    if (response_.body.size() + data.size() > request_.max_response_body) return fail("response_too_large");
    response_.body.append(data);
    if (end_stream) finish();
  }
  http::Trailers& beginResponseTrailers() override { return trailers_.emplace(response_arena_); }
  void onResponseTrailers() override { finish(); }
  void onResponseReset(http::ResetReason reason, std::string_view) override {
    const bool repeat =
        !replayed_ && response_.status == 0 && exchange_.mayRepeat(reason, http::idempotent(request_.method));
    if (!repeat) return fail(reason == http::ResetReason::kProtocolError ? "protocol_error" : "reset");
    replayed_ = true;
    lease_.pool().request(exchange_, {.fresh = reason == http::ResetReason::kConnectionEnded});
  }
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {}

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
    exchange_.abandon();
    lease_.release();
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
  http::RequestHeaders headers_;
  Lease lease_;
  pool::Exchange exchange_{*this};
  base::Arena response_arena_;
  std::optional<http::ResponseHeaders> response_headers_;
  std::optional<http::Trailers> trailers_;
  HttpCallResponse response_;
  event::Timer timer_;
  bool finished_ = false;
  bool replayed_ = false;
};

}  // namespace

std::unique_ptr<filter::Call> ClusterCalls::send(HttpCallRequest request,
                                                 std::function<void(HttpCallResponse)> on_response) {
  return std::make_unique<ClusterCall>(loop_, clusters_, cells_, std::move(request), std::move(on_response));
}

std::unique_ptr<filter::GrpcCall> ClusterCalls::openGrpc(filter::GrpcCallRequest request, filter::GrpcEvents& events) {
  return std::make_unique<ClusterGrpcCall>(loop_, clusters_, cells_, std::move(request), events);
}

std::unique_ptr<filter::Call> ClusterCalls::after(std::chrono::milliseconds delay, std::function<void()> on_expiry) {
  return std::make_unique<TimerCall>(loop_.timers(), delay, std::move(on_expiry));
}

void ClusterCalls::count(std::string_view cluster, std::string_view name, uint64_t n) {
  if (const auto found = clusters_.find(cluster)) found->lateCounts().add(name, n);
}

}  // namespace sluice::router
