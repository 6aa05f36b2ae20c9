#include "source/router/calls.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace sluice::router {
namespace {

namespace pool = upstream::pool;
using filter::HttpCallRequest;
using filter::HttpCallResponse;
using upstream::cluster::Resource;
using upstream::cluster::RoutingPriority;

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
class ClusterCall : public filter::Call, private pool::Waiter, private pool::ExchangeEvents, private event::TurnTask {
 public:
  ClusterCall(event::Loop& loop, upstream::ClusterSet& clusters, observability::StatsCells& cells,
              HttpCallRequest request, std::function<void(HttpCallResponse)> on_response)
      : loop_(loop),
        cells_(cells),
        request_(std::move(request)),
        on_response_(std::move(on_response)),
        headers_(arena_),
        timer_(loop.timers(), [this] { fail("timeout"); }) {
    if (request_.timeout.count() > 0) timer_.arm(request_.timeout);
    cluster_ = clusters.find(request_.cluster);
    loop_.atTurnEnd(*this);  // never an answer inside send()
  }
  ~ClusterCall() override { release(); }

 private:
  void runAtTurnEnd() override {
    if (finished_) return deliver();
    if (!cluster_) return fail("no_cluster");
    const upstream::cluster::HostSlot slot = cluster_->balancer().pick();
    if (slot == upstream::cluster::kNoHost) return fail("no_healthy_upstream");
    if (!cluster_->context().breakers->tryAcquire(Resource::kRequests, RoutingPriority::kDefault)) {
      cells_.add(cluster_->context().stats.rq_overflow);
      return fail("overflow");
    }
    holds_request_ = true;
    cluster_->balancer().requestStarted(slot);
    cells_.add(cluster_->context().stats.rq_total);
    cells_.add(cluster_->context().stats.rq_active);
    pool_ = &cluster_->poolOf(slot);
    headers_.method = request_.method;
    headers_.path = request_.path;
    headers_.scheme = "http";
    headers_.authority = request_.authority.empty() ? std::string_view(request_.cluster) : request_.authority;
    for (const auto& [name, value] : request_.headers) headers_.addView(name, value);
    if (!request_.body.empty()) headers_.set(http::Name::kContentLength, absl::StrCat(request_.body.size()));
    pool_->request(*this, false);
  }

  void onReady(pool::ClientConnection& connection) override {
    connection_ = &connection;
    connection.attach(*this);
    connection.sendHeaders(headers_, request_.body.empty());
    if (!request_.body.empty()) connection.sendData(request_.body, true);
  }
  void onFailure(pool::Failure failure, std::string_view) override {
    fail(failure == pool::Failure::kOverflow ? "overflow" : "connect_failed");
  }

  http::ResponseHeaders& beginResponse() override { return response_headers_.emplace(response_arena_); }
  void onInformational() override {}
  void onResponseHeaders(bool end_stream) override {
    response_.status = response_headers_->status;
    for (const http::Field& field : *response_headers_) response_.headers.emplace_back(field.name, field.value);
    if (end_stream) complete();
  }
  void onResponseData(std::string_view data, bool end_stream) override {
    if (response_.body.size() + data.size() > request_.max_response_body) return fail("response_too_large");
    response_.body.append(data);
    if (end_stream) complete();
  }
  http::Trailers& beginResponseTrailers() override { return trailers_.emplace(response_arena_); }
  void onResponseTrailers() override { complete(); }
  void onResponseReset(http::ResetReason reason, std::string_view) override {
    const bool replay = !replayed_ && reason == http::ResetReason::kConnectionEnded && response_.status == 0 &&
                        connection_->maybeUnseen() && request_.body.empty();
    connection_ = nullptr;
    if (!replay) return fail(reason == http::ResetReason::kProtocolError ? "protocol_error" : "reset");
    replayed_ = true;
    pool_->request(*this, true);
  }
  size_t responseCredit() override { return 64 * 1024; }
  void onRequestBytesSent() override {}

  void complete() {
    connection_ = nullptr;
    finish();
  }
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
    release();
    loop_.atTurnEnd(*this);
  }
  void deliver() {
    // The receiver may destroy this call.
    const auto on_response = std::move(on_response_);
    HttpCallResponse response = std::move(response_);
    on_response(std::move(response));
  }
  void release() {
    if (std::exchange(holds_request_, false)) {
      cluster_->context().breakers->release(Resource::kRequests, RoutingPriority::kDefault);
      cells_.sub(cluster_->context().stats.rq_active);
      cluster_->balancer().requestFinished(pool_->host());
    }
    if (pool_ != nullptr) std::exchange(pool_, nullptr)->cancel(*this);
    if (pool::ClientConnection* connection = std::exchange(connection_, nullptr)) connection->abandon();
  }

  event::Loop& loop_;
  observability::StatsCells& cells_;
  HttpCallRequest request_;
  std::function<void(HttpCallResponse)> on_response_;
  base::Arena arena_;
  http::RequestHeaders headers_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  pool::Pool* pool_ = nullptr;
  pool::ClientConnection* connection_ = nullptr;
  base::Arena response_arena_;
  std::optional<http::ResponseHeaders> response_headers_;
  std::optional<http::Trailers> trailers_;
  HttpCallResponse response_;
  event::Timer timer_;
  bool holds_request_ = false;
  bool finished_ = false;
  bool replayed_ = false;
};

}  // namespace

std::unique_ptr<filter::Call> ClusterCalls::send(HttpCallRequest request,
                                                 std::function<void(HttpCallResponse)> on_response) {
  return std::make_unique<ClusterCall>(loop_, clusters_, cells_, std::move(request), std::move(on_response));
}

std::unique_ptr<filter::Call> ClusterCalls::after(std::chrono::milliseconds delay, std::function<void()> on_expiry) {
  return std::make_unique<TimerCall>(loop_.timers(), delay, std::move(on_expiry));
}

}  // namespace sluice::router
