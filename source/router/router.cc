#include "source/router/router.h"

#include <chrono>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/http/grpc.h"
#include "source/http/headers.h"
#include "source/http/rules.h"
#include "source/route/rewrite.h"
#include "source/router/connect.h"
#include "source/router/failure_text.h"
#include "source/router/websocket.h"
#include "source/stream/format_context.h"

namespace sluice::router {
namespace {

using filter::Reply;
using http::Name;
using stream::ResponseFlag;
using upstream::cluster::HostStat;
using upstream::cluster::Resource;
using upstream::cluster::RoutingPriority;
namespace pool = upstream::pool;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultTimeout{15000};  // (proto: RouteAction.timeout)
constexpr size_t kMaxKeptBody = 16 * 1024;
constexpr uint8_t kMaxRefusals = 3;  // how often a request is put on another connection

// A client that has said how long its body is, or that speaks HTTP/1, sends it whatever the host answers. While none of
// it has come the host has nothing to do, and the request takes no connection and no place in a breaker. Where HTTP/2
// announces no length, client and host may talk in turns, and the host may be the first.
bool bodyFollows(const http::RequestHeaders& headers) {
  return headers.protocol < http::Protocol::kHttp2 || headers.has(Name::kContentLength);
}

class Router final : public filter::Terminal, public pool::ExchangeEvents {
 public:
  Router(RouterWorker& worker, const RouterSettings& settings, filter::ChainRunner& runner, filter::Stream& stream,
         filter::Downstream& downstream)
      : worker_(worker), settings_(settings), runner_(runner), stream_(stream), downstream_(downstream) {}
  ~Router() override { release(); }

  // --- Terminal ---
  void requestHeaders(bool end_stream) override;
  void requestData(std::string_view data, bool end_stream) override;
  void requestTrailers() override;
  size_t unsentRequestBytes() const override {
    return exchange_.open() && asks_tunnel_ == in_tunnel_ ? exchange_.unsentBytes() : waiting_body_.size();
  }
  void responseCreditGrew() override { exchange_.resumeReading(); }
  void deadlineExpired() override;
  void cancel() override;

  // --- ExchangeEvents ---
  void onReady() override;
  void onFailure(pool::Failure failure, std::string_view text) override;
  http::ResponseHeaders& beginResponse() override {
    stream_.response().clear();
    return stream_.response();
  }
  void onInformational() override {
    countStatus(stream_.response().status);
    // "100 Continue" was given to the client by the session when the request was let through.
    if (stream_.response().status != 100) downstream_.sendInformational(stream_.response());
  }
  void onResponseHeaders(bool end_stream) override;
  void onResponseData(std::string_view data, bool end_stream) override;
  http::Trailers& beginResponseTrailers() override { return stream_.responseTrailers(); }
  void onResponseTrailers() override;
  void onResponseReset(http::ResetReason reason, std::string_view detail) override;
  size_t responseCredit() override { return runner_.responseCredit(); }
  void onRequestBytesSent() override { runner_.requestProgress(); }

 private:
  void forward();
  void chooseTimeout(const route::Forward& action);
  void chooseRoutesTimeout(const route::Forward& action);
  void requestEnded();
  void keepBody(std::string_view data);
  void armTimeout();
  bool acceptsTunnel() const;
  bool endless() const;
  void beginTunnel();
  bool replayable(http::ResetReason reason) const;
  void request(bool fresh) {
    pool_->request(exchange_, {.fresh = fresh, .upgrade = !stream_.request().upgrade.empty()});
  }
  void replay(bool fresh);
  void fail(const FailureText& failure);
  void reply(uint16_t status, std::string_view body, std::string_view details, std::optional<ResponseFlag> flag) {
    answerLocally(runner_, stream_, Reply{status, std::string(body), details, {}, flag});
  }
  // The exchange is over: gives back what it holds of the cluster.
  void release();
  void responseComplete();
  void countStatus(uint16_t status);
  const pool::ClusterStats& stats() const { return cluster_->context().stats; }
  int64_t nowOffsetMs() const {
    return std::chrono::duration_cast<milliseconds>(worker_.loop().now() - stream_.info().start).count();
  }

  RouterWorker& worker_;
  const RouterSettings& settings_;
  filter::ChainRunner& runner_;
  filter::Stream& stream_;
  filter::Downstream& downstream_;

  base::LocalPtr<upstream::WorkerCluster> cluster_;
  pool::Pool* pool_ = nullptr;
  const upstream::cluster::Host* host_ = nullptr;  // valid while holds_host_: its pool is not empty
  pool::Exchange exchange_{*this};
  milliseconds timeout_{0};
  event::TimePoint attempt_began_;
  bool holds_host_ = false;   // its count of active requests
  bool awaits_body_ = false;  // nothing is sent before the first of it is here
  bool headers_only_ = false;
  bool request_ended_ = false;
  bool request_has_trailers_ = false;
  bool asks_tunnel_ = false;  // an upgrade or CONNECT: the head is all of the request until it is accepted
  bool in_tunnel_ = false;
  bool default_timeout_ = false;  // no one chose it
  bool grpc_timeout_ = false;     // the client chose it
  bool untimed_ = false;          // what goes on has no natural end
  bool response_began_ = false;
  bool done_ = false;
  bool replayed_ = false;
  bool holds_retry_ = false;
  RoutingPriority priority_ = RoutingPriority::kDefault;
  bool keeps_body_ = true;  // waiting_body_ has all of it so far
  uint8_t refusals_ = 0;
  // Until there is a connection or a tunnel, and then while it is kept; bounded by the chain's window.
  std::string waiting_body_;
};

void Router::requestHeaders(bool end_stream) {
  const route::Match& match = stream_.route();
  if (!match) return reply(404, "", "route_not_found", ResponseFlag::kNoRouteFound);
  if (match.route->redirect != nullptr) {
    Reply redirect{match.route->redirect->status, "", "direct_response"};
    redirect.headers.emplace_back("location", route::redirectLocation(match, stream_.request()));
    return answerLocally(runner_, stream_, std::move(redirect));
  }
  if (match.route->direct_response != nullptr) {
    const route::DirectResponse& direct = *match.route->direct_response;
    return answerLocally(runner_, stream_, Reply{direct.status, std::string(direct.body), "direct_response"});
  }
  cluster_ = worker_.clusters().find(match.cluster());
  if (!cluster_) {
    return reply(match.route->forward->cluster_not_found_status, "", "cluster_not_found",
                 ResponseFlag::kNoClusterFound);
  }
  stream_.info().upstream_cluster = cluster_->config().name;
  headers_only_ = request_ended_ = end_stream;
  asks_tunnel_ = stream_.request().wantsTunnel();
  awaits_body_ = !end_stream && !asks_tunnel_ && bodyFollows(stream_.request());
  if (!awaits_body_) forward();
}

void Router::forward() {
  awaits_body_ = false;
  const route::Match& match = stream_.route();
  const route::Forward& action = *match.route->forward;
  stream::StreamInfo& info = stream_.info();
  const pool::PoolContext& context = cluster_->context();
  const upstream::cluster::HostSlot slot = pickHost(*cluster_, stream_);
  if (slot == upstream::cluster::kNoHost) {
    worker_.cells().add(stats().cx_none_healthy);
    return reply(kNoHost.status, kNoHost.body, kNoHost.details, kNoHost.flag);
  }
  priority_ = action.high_priority ? RoutingPriority::kHigh : RoutingPriority::kDefault;
  holds_host_ = true;
  cluster_->requestStarted(slot);
  runner_.limitWindow(context.config->per_connection_buffer_limit);
  host_ = cluster_->hostPtr(slot).get();
  // Copied: the log entry is written after the host may have left its cluster.
  info.upstream_host = stream_.arena().copy(host_->addressText());
  info.upstream_host_name = host_->hostname().empty() ? info.upstream_host : stream_.arena().copy(host_->hostname());
  info.setUpstreamMetadata(context.config->metadata, host_->metadata());
  info.attempt_count = 1;

  chooseTimeout(action);
  http::RequestHeaders& headers = stream_.request();
  // In front of the route's header mutations, which may tell it on under another name.
  if (!settings_.suppress_envoy_headers && timeout_.count() > 0) {
    headers.set(Name::kXEnvoyExpectedRqTimeoutMs, absl::StrCat(timeout_.count()));
  }
  if (!route::finalizeRequest(match, headers, stream::FormatContext{.request = &headers, .info = info},
                              {.keep_original_path = !settings_.suppress_envoy_headers})) {
    release();
    return reply(400, "", "path_rewrite_climbs", std::nullopt);
  }
  if (action.auto_host_rewrite && !host_->hostname().empty()) headers.authority = info.upstream_host_name;
  if (headers.upgrade == "websocket" && headers.protocol == http::Protocol::kHttp2 &&
      !headers.get("sec-websocket-key")) {
    base::Arena& arena = stream_.arena();
    headers.addView(Name::kOther, "sec-websocket-key", makeWebSocketKey(arena, stream_.random(), stream_.random()));
  }
  // Behind what changes the host: with auto_sni it decides.
  pool_ = &cluster_->poolFor(slot, priority_, headers,
                             {.remote = info.downstream_remote_address, .local = info.downstream_local_address});
  if (request_ended_ || asks_tunnel_) armTimeout();
  attempt_began_ = worker_.loop().now();
  request(false);
}

// What an internal caller asks for goes first (the session takes the header away from all others).
void Router::chooseTimeout(const route::Forward& action) {
  http::RequestHeaders& headers = stream_.request();
  chooseRoutesTimeout(action);
  const auto asked = headers.get(Name::kXEnvoyUpstreamRqTimeoutMs);
  if (!asked) return;
  uint32_t wanted = 0;
  if (absl::SimpleAtoi(absl::string_view(asked->data(), asked->size()), &wanted)) {
    timeout_ = milliseconds(wanted);
    default_timeout_ = false;
  }
  headers.remove(Name::kXEnvoyUpstreamRqTimeoutMs);
}

void Router::chooseRoutesTimeout(const route::Forward& action) {
  http::RequestHeaders& headers = stream_.request();
  if (action.max_grpc_timeout != nullptr && http::grpc::isGrpcRequest(headers)) {
    const auto field = headers.get(Name::kGrpcTimeout);
    const milliseconds max = action.max_grpc_timeout->max;
    const milliseconds offset = action.max_grpc_timeout->offset;
    grpc_timeout_ = true;
    timeout_ = max;
    if (const auto asked = field ? http::grpc::parseTimeout(*field) : std::nullopt) {
      const milliseconds rest = std::max(offset < *asked ? *asked - offset : *asked, milliseconds(1));
      timeout_ = max.count() > 0 ? std::min(rest, max) : rest;
    }
    if (timeout_.count() > 0) headers.set(Name::kGrpcTimeout, http::grpc::formatTimeout(timeout_));
    return;
  }
  default_timeout_ = !action.timeout && action.max_stream_duration == nullptr;
  timeout_ = action.timeout.value_or(default_timeout_ ? kDefaultTimeout : milliseconds(0));
}

void Router::requestEnded() {
  request_ended_ = true;
  if (!asks_tunnel_) armTimeout();
}

// The route's timeout counts from the end of the request, so a slow upload does not use it up.
void Router::armTimeout() {
  if (timeout_.count() > 0 && !done_ && !untimed_) downstream_.armDeadline(timeout_);
}

void Router::requestData(std::string_view data, bool end_stream) {
  if (awaits_body_ && !done_) forward();
  if (done_) return;
  if (end_stream) requestEnded();
  if (asks_tunnel_ && !in_tunnel_) {
    if (!response_began_) waiting_body_.append(data);  // nobody's once the tunnel was refused
    return;
  }
  if (!exchange_.open()) {
    waiting_body_.append(data);
    return;
  }
  keepBody(data);
  exchange_.sendData(data, end_stream);
  if (!exchange_.open()) responseComplete();  // a tunnel whose response had ended
}

// Bytes that were sent are kept for as long as a host of HTTP/2 may say that it did not look at the request.
void Router::keepBody(std::string_view data) {
  if (!keeps_body_) return;
  keeps_body_ = exchange_.multiplexed() && !response_began_ && waiting_body_.size() + data.size() <= kMaxKeptBody;
  if (keeps_body_) {
    waiting_body_.append(data);
  } else {
    waiting_body_ = {};
  }
}

void Router::requestTrailers() {
  if (awaits_body_ && !done_) forward();
  if (done_) return;
  request_has_trailers_ = true;
  requestEnded();
  exchange_.sendTrailers(stream_.requestTrailers());
}

void Router::onReady() {
  stream::StreamInfo& info = stream_.info();
  info.upstream_connection_id = exchange_.connectionId();
  info.upstream_tls = exchange_.tls();
  info.upstream_request_start = info.since(worker_.loop().now());
  exchange_.sendHeaders(stream_.request(), headers_only_);
  if (headers_only_ || asks_tunnel_) return;
  const bool end_with_data = request_ended_ && !request_has_trailers_;
  if (!waiting_body_.empty() || end_with_data) exchange_.sendData(waiting_body_, end_with_data);
  keepBody({});
  if (request_has_trailers_) exchange_.sendTrailers(stream_.requestTrailers());
  runner_.requestProgress();
}

void Router::onFailure(pool::Failure failure, std::string_view text) {
  stream_.info().upstream_transport_failure_reason = stream_.arena().copy(text);
  switch (failure) {
    case pool::Failure::kConnectFailed:
    case pool::Failure::kDrained:
      return fail(kConnectFailure);
    case pool::Failure::kConnectTimeout:
      return fail(kConnectTimeout);
    case pool::Failure::kOverflow:
      return fail(kOverflow);
    case pool::Failure::kUpgradeRefused:
      return fail(kUpgradeRefused);
  }
}

void Router::countStatus(uint16_t status) {
  const pool::ClusterStats& s = stats();
  const observability::Counter by_class[] = {s.rq_1xx, s.rq_2xx, s.rq_3xx, s.rq_4xx, s.rq_5xx};
  if (status >= 100 && status < 600) worker_.cells().add(by_class[status / 100 - 1]);
  if (status >= 200) cluster_->countCode(status);
  if (pool_ != nullptr && (status >= 200 || in_tunnel_)) {
    pool_->hostStats().add(status >= 500 ? HostStat::kRqError : HostStat::kRqSuccess);
  }
}

bool Router::acceptsTunnel() const {
  if (!asks_tunnel_) return false;
  const uint16_t status = stream_.response().status;
  return stream_.request().upgrade.empty() ? status / 100 == 2 : status == 101;
}

// Answers that go on until someone has had enough. A timeout that nobody chose does not end them, nor does any timeout
// of the route end a tunnel: the stream's idle timeout is what holds.
bool Router::endless() const {
  if (in_tunnel_) return true;
  if (!default_timeout_) return false;
  const std::string_view type = stream_.response().get(Name::kContentType).value_or("");
  return type.starts_with("text/event-stream") || type.starts_with("application/grpc");
}

// What the client sent ahead follows.
void Router::beginTunnel() {
  if (!waiting_body_.empty() || request_ended_) exchange_.sendData(waiting_body_, request_ended_);
  waiting_body_.clear();
  waiting_body_.shrink_to_fit();
  if (!exchange_.open()) return responseComplete();
  runner_.requestProgress();
}

void Router::onResponseHeaders(bool end_stream) {
  response_began_ = true;
  in_tunnel_ = acceptsTunnel();
  untimed_ = endless();
  if (in_tunnel_) {
    runner_.beginTunnel();
  } else if (!waiting_body_.empty()) {
    waiting_body_ = {};
  }
  http::ResponseHeaders& headers = stream_.response();
  if (in_tunnel_ && stream_.request().upgrade == "websocket" && !headers.get("sec-websocket-accept")) {
    if (const auto key = stream_.request().get("sec-websocket-key")) {
      headers.addView(Name::kOther, "sec-websocket-accept", webSocketAccept(stream_.arena(), *key));
    }
  }
  stream::StreamInfo& info = stream_.info();
  info.response_start = info.since(worker_.loop().now());
  info.response_code_details = "via_upstream";
  countStatus(headers.status);
  worker_.cells().add(stats().rq_completed);
  if (!settings_.suppress_envoy_headers) {
    headers.set(Name::kXEnvoyUpstreamServiceTime,
                absl::StrCat(std::chrono::duration_cast<milliseconds>(worker_.loop().now() - attempt_began_).count()));
  }
  route::finalizeResponse(stream_.route(), headers,
                          stream::FormatContext{.request = &stream_.request(), .response = &headers, .info = info});
  if (!exchange_.open()) responseComplete();
  runner_.responseHeaders(end_stream);
  if (in_tunnel_ && !done_) beginTunnel();
}

void Router::onResponseData(std::string_view data, bool end_stream) {
  if (!exchange_.open()) responseComplete();
  runner_.responseData(data, end_stream);
}

void Router::onResponseTrailers() {
  responseComplete();
  runner_.responseTrailers();
}

void Router::responseComplete() {
  stream::StreamInfo& info = stream_.info();
  info.upstream_response_end = info.since(worker_.loop().now());
  worker_.cells().record(stats().rq_time,
                         std::chrono::duration_cast<milliseconds>(worker_.loop().now() - attempt_began_).count());
  release();
  if (in_tunnel_) runner_.endTunnel();
}

bool Router::replayable(http::ResetReason reason) const {
  if (response_began_ || !exchange_.mayRepeat(reason, http::idempotent(stream_.request().method))) return false;
  if (reason == http::ResetReason::kConnectionEnded) return !replayed_ && (headers_only_ || asks_tunnel_);
  return refusals_ < kMaxRefusals && (headers_only_ || keeps_body_);
}

void Router::onResponseReset(http::ResetReason reason, std::string_view detail) {
  if (replayable(reason)) {
    // The host did not process it: no load that the retry breaker is for.
    if (reason != http::ResetReason::kConnectionEnded) {
      ++refusals_;
      return replay(false);
    }
    // The retry breaker holds for this too: a cluster that fails at large is not asked twice as much.
    if (cluster_->context().breakers->tryAcquire(Resource::kRetries, priority_)) {
      holds_retry_ = replayed_ = true;
      return replay(true);
    }
  }
  worker_.cells().add(stats().rq_rx_reset);
  // Which rule a host broke is told nowhere else.
  if (reason == http::ResetReason::kProtocolError) stream_.info().upstream_transport_failure_reason = detail;
  const ResetText text = resetText(reason);
  if (!response_began_) return fail(text.before);
  release();
  stream_.info().response_flags.set(text.before.flag);
  runner_.resetResponse(text.after);
}

void Router::replay(bool fresh) {
  ++stream_.info().attempt_count;
  worker_.cells().add(stats().rq_retry);
  request(fresh);
}

void Router::fail(const FailureText& failure) {
  if (cluster_) countStatus(failure.status);
  release();
  Reply answer{failure.status, std::string(failure.body), failure.details, {}, failure.flag};
  if (failure.flag == ResponseFlag::kUpstreamOverflow && !settings_.suppress_envoy_headers) {
    answer.headers.emplace_back("x-envoy-overloaded", "true");
  }
  answerLocally(runner_, stream_, std::move(answer));
}

void Router::deadlineExpired() {
  if (done_ || untimed_) return;
  if (holds_host_) worker_.cells().add(stats().rq_timeout);
  if (pool_ != nullptr) pool_->hostStats().add(HostStat::kRqTimeout);
  stream_.info().response_flags.set(ResponseFlag::kUpstreamRequestTimeout);
  const bool began = response_began_;
  if (cluster_ && !began) countStatus(504);
  release();
  if (began) return runner_.resetResponse("response_timeout");
  answerLocally(runner_, stream_,
                Reply{504,
                      "upstream request timeout",
                      "response_timeout",
                      {},
                      ResponseFlag::kUpstreamRequestTimeout,
                      grpc_timeout_ ? std::optional(http::grpc::kDeadlineExceeded) : std::nullopt});
}

void Router::cancel() {
  if (!done_ && holds_host_) {
    worker_.cells().add(exchange_.open() ? stats().rq_tx_reset : stats().rq_cancelled);
  }
  release();
}

void Router::release() {
  done_ = true;
  if (std::exchange(holds_retry_, false)) cluster_->context().breakers->release(Resource::kRetries, priority_);
  if (std::exchange(holds_host_, false)) cluster_->requestFinished(*host_);
  pool_ = nullptr;
  exchange_.abandon();
}

}  // namespace

void answerLocally(filter::ChainRunner& runner, filter::Stream& stream, Reply reply) {
  if (stream.route().route != nullptr) {
    http::ResponseHeaders headers(stream.arena());
    headers.status = reply.status;
    for (const auto& [name, value] : reply.headers) headers.add(name, value);
    const stream::FormatContext context{.request = &stream.request(), .response = &headers, .info = stream.info()};
    route::finalizeResponse(stream.route(), headers, context);
    reply.headers.clear();
    for (const http::Field& field : headers) reply.headers.emplace_back(field.name, field.value);
  }
  runner.localReply(std::move(reply));
}

upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const filter::Stream& stream) {
  if (!cluster.hostDependsOnAsker()) return cluster.pick();
  const stream::StreamInfo& info = stream.info();
  return cluster.pickFor({.destination = net::Address::parse(info.downstream_local_address).value_or(net::Address()),
                          .redirected = info.redirected,
                          .request = &stream.request()});
}

filter::Terminal* RouterWorker::make(const filter::TerminalConfig& config, filter::ChainRunner& runner,
                                     filter::Stream& stream, filter::Downstream& downstream) {
  if (endsTunnel(stream)) return makeConnectEnd(*this, runner, stream);
  return filter::makeIn<Router>(stream.arena(), *this, static_cast<const RouterSettings&>(config), runner, stream,
                                downstream);
}

}  // namespace sluice::router
