#include "source/router/router.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "source/base/text.h"
#include "source/http/grpc.h"
#include "source/route/request_policies.h"
#include "source/route/rewrite.h"
#include "source/router/attempt_words.h"
#include "source/router/callers_words.h"
#include "source/router/connect.h"
#include "source/router/direct_reply.h"
#include "source/router/drop_overload.h"
#include "source/router/host_choice.h"
#include "source/router/mirrors.h"
#include "source/router/replayable_request.h"
#include "source/router/request_counts.h"
#include "source/router/retries.h"
#include "source/router/retry_mark.h"
#include "source/router/timeout.h"
#include "source/router/tries.h"
#include "source/router/upstream_filters.h"
#include "source/router/websocket.h"
#include "source/stream/format_context.h"
#include "source/stream/internal_hops.h"
#include "source/upstream/attempt.h"
#include "source/upstream/failure_text.h"

namespace sluice::router {
namespace {

using filter::Reply;
using http::Name;
using route::RequestStats;
using std::chrono::milliseconds;
using stream::ResponseFlag;
using upstream::AnswerStats;
using upstream::AttemptEnd;
using upstream::RetryState;
using upstream::cluster::ClusterStats;
using upstream::cluster::RoutingPriority;

class Router final : public filter::Terminal, private Retries::User {
 public:
  Router(const RouterSettings& settings, worker::WorkerServices& services, filter::ChainRunner& runner,
         filter::Stream& stream, filter::Downstream& downstream)
      : settings_(settings),
        services_(services),
        runner_(runner),
        stream_(stream),
        downstream_(downstream),
        request_(stream),
        attempt_(*this) {}
  ~Router() override {
    if (retries_ != nullptr) retries_->~Retries();
    if (mirrors_ != nullptr) mirrors_->~RequestMirrors();
  }

  // --- Terminal ---
  void requestHeaders(bool end_stream) override;
  void requestData(std::string_view data, bool end_stream) override;
  void requestTrailers() override;
  size_t unsentRequestBytes() const override {
    const bool sends = attempt_->open() && request_.asksTunnel() == (phase_ == Phase::kTunnel);
    return sends ? attempt_->unsentBytes() : request_.heldBytes();
  }
  void responseCreditGrew() override { attempt_->resumeReading(); }
  void deadlineExpired() override;
  void cancel() override {
    finish();
    attempt_->cancel();
    cancelOthers(*attempt_);
  }

 private:
  enum class Phase : uint8_t {
    kBegun,
    kAwaitsBody,  // nothing is sent before the first of it is here
    kForwarded,
    kAnswered,  // the head of the response has come
    kTunnel,    // and it accepts one
    kDone,
  };

  // One of the attempts.
  class Try final : public upstream::AttemptOf<Try> {
   public:
    explicit Try(Router& router) : AttemptOf(router.stream_.arena()), router_(router) {}
    ~Try() override { cancel(); }

    void chooseFilters() {
      UpstreamFilters::choose(filters_, *this, router_.settings_.upstream_http_filters,
                              {router_.services_, &router_.stream_});
    }
    // Where its answer comes from is told of the request.
    void tellSource(stream::StreamInfo& info) const {
      if (ofHost()) {
        info.response_code_details = "via_upstream";
      } else {
        filters_->tellFlag(info);  // its details stand there already
      }
    }

    Try* next = nullptr;                     // made beside this one; in the arena
    bool followed = false;                   // another one is made though it goes on
    bool of_canary = false;                  // the host is one that answered
    upstream::StatusCounts* zone = nullptr;  // of that host; null: not counted

   private:
    friend class upstream::AttemptOf<Try>;
    void onReady() override { router_.sendOn(*this); }
    http::Trailers& beginTrailers() { return router_.stream_.responseTrailers(); }
    size_t responseCredit() override { return router_.runner_.responseCredit(); }
    void onRequestBytesSent() override {
      router_.moved(*this);
      router_.runner_.requestProgress();
    }

    std::optional<RetryState::Repeat> retry(const AttemptEnd& failure) {
      return followed ? std::nullopt : router_.retry(failure);
    }
    bool retriesElsewhere(const AttemptEnd& failure) {
      return router_.retries_ != nullptr && router_.retryFailed(*this, failure);
    }
    bool retriesAnswer() {
      dropForeignMark(responseHead(), host().address());
      of_canary = host().canary();
      zone = cluster()->zoneOf(host());
      if (router_.retries_ == nullptr || !router_.retryAnswered(*this)) return false;
      router_.stream_.info().response_code_details = {};  // of a filter, whose memory goes with it
      return true;
    }
    void onFailed(const AttemptEnd& failure) { router_.attemptFailed(failure); }
    // "100 Continue" was given to the client by the session when the request was let through.
    void onInterimHead() {
      // One whose host was asked hears it of that host, once.
      const bool passes =
          responseHead().status != 100 || std::exchange(router_.stream_.request().expects_continue, false);
      if (passes) router_.downstream_.sendInformational(responseHead());
    }
    void onHead(bool end_stream) { router_.responseHead(*this, end_stream); }
    void onData(std::string_view data, bool end_stream) {
      router_.moved(*this);
      if (!data.empty()) router_.noteResponseBody();
      if (!running()) router_.responseComplete();
      router_.runner_.responseData(data, end_stream);
    }
    void onTrailers() {
      router_.responseComplete();
      router_.runner_.responseTrailers();
    }

    Router& router_;
    std::unique_ptr<UpstreamFilters> filters_;  // null: nothing stands between it and its host
  };

  // --- Retries::User
  void retryNow() override;
  void tryExpired(AttemptEnd::Timer timer) override {
    if (!hedge()) attempt_->expire(timer);
  }

  void forward();
  bool takeHost();
  void startAttempt();
  route::Rewritten finalizeHead(const route::Match& match);
  milliseconds timeOfTry(milliseconds left) const;
  // How much of a body may wait, or be kept to be sent again; bytes.
  size_t bodyLimit(const route::Forward& action) const {
    return action.request_buffer_limit.value_or(attempt_->cluster()->config().per_connection_buffer_limit);
  }
  void makeRetries(const route::Forward& action);
  void tellRetry();
  // The cluster's, if it has some.
  const route::MirrorPolicies* mirrorsOf(const route::Forward& action) const {
    const route::RequestPolicies* const own = attempt_->cluster()->config().request_policies.get();
    return own != nullptr && own->mirrors ? own->mirrors.get() : action.mirrors;
  }
  void makeMirrors(const route::Forward& action, const route::MirrorPolicies& policies);
  void sendBody(std::string_view data);
  // Something of it was sent: counts it once it is too large to be sent again.
  void noteBody(bool was_replayable);
  void requestEnded();
  void armTimeout();
  void sendOn(Try& attempt);
  std::optional<RetryState::Repeat> retry(const AttemptEnd& failure);
  bool retryFailed(const Try& attempt, const AttemptEnd& failure);
  bool retryAnswered(Try& attempt);
  // The policy wants it.
  bool retryIfAllowed(const Try& attempt, const http::ResponseHeaders* answer, bool after_timeout);
  bool hedge();
  // Another attempt may be answered yet, or will be made.
  bool awaitsOther(const Try& attempt) const { return retries_->waiting() || attempt_.othersRun(attempt); }
  bool leavesToOthers(const Try& attempt);
  void settleOn(Try& attempt);
  void cancelOthers(const Try& but) {
    attempt_.forOthers(but, [](Try& other) { other.cancel(); });
  }
  void attemptFailed(const AttemptEnd& failure);
  void responseHead(Try& attempt, bool end_stream);
  bool redirected();
  void noteResponseBody();
  void finalizeResponse(const Try& attempt);
  bool acceptsTunnel() const;
  bool endless() const;
  void responseComplete();
  void moved(const Try& attempt) {
    if (retries_ != nullptr && attempt_.isLast(attempt)) retries_->moved();
  }
  void finish() {
    phase_ = Phase::kDone;
    if (retries_ != nullptr) retries_->stop();
    if (mirrors_ != nullptr) mirrors_->letGo();
  }
  void count(observability::Counter ClusterStats::*counter, uint64_t n = 1) {
    const upstream::pool::PoolContext& context = attempt_->cluster()->context();
    context.cells.add(context.stats.*counter, n);
  }
  // What connections to hosts are told of this one.
  upstream::ClientAddresses clientAddresses() const {
    const stream::StreamInfo& info = stream_.info();
    upstream::ClientAddresses out{.source = info.upstream_source.get(), .state = info.filter_state.get()};
    if (info.hides_client) return out;
    out.remote = info.downstream_remote_address;
    out.local = info.downstream_local_address;
    out.tlvs = info.client_tlvs.get();
    return out;
  }
  AnswerStats answerStats() const {
    if (!settings_.dynamic_stats) return AnswerStats::kNone;
    const bool totals = settings_.suppress_grpc_code_stats && http::grpc::isGrpcRequest(stream_.request());
    return totals ? AnswerStats::kTotals : AnswerStats::kAll;
  }
  route::RequestRewrite rewriteOptions() const { return {.keep_original = !settings_.suppress_envoy_headers}; }
  const route::AttemptHeaders& attemptHeaders() const { return stream_.route().virtual_host->attempt_headers; }
  // Answers in the host's stead; nothing goes on behind it.
  void answer(Reply reply) {
    finish();
    counts_.answered(reply.status);
    answerLocally(runner_, stream_, std::move(reply));
  }

  const RouterSettings& settings_;
  worker::WorkerServices& services_;
  filter::ChainRunner& runner_;
  filter::Stream& stream_;
  filter::Downstream& downstream_;
  ReplayableRequest request_;
  Tries<Try> attempt_;
  RetryState retry_state_;
  Retries* retries_ = nullptr;         // in the arena; null: there is no policy
  RequestMirrors* mirrors_ = nullptr;  // same
  CallersWords* words_ = nullptr;      // in the arena; null: redirects are not followed
  RequestCounts counts_;
  RequestTimeout timeout_;
  event::TimePoint deadline_{};  // of `timeout_`, once it counts
  event::TimePoint told_{};      // when the last attempt was told how long it has
  Phase phase_ = Phase::kBegun;
};

// --- the request

void Router::requestHeaders(bool end_stream) {
  const route::Match& match = stream_.route();
  if (!match) return answer({404, "", "route_not_found", {}, ResponseFlag::kNoRouteFound});
  if (match.route->redirect != nullptr) {
    if (!route::hasTarget(*match.route->redirect, stream_.request())) return answer({400, "", "missing_host_header"});
    Reply redirect{match.route->redirect->status, "", "direct_response"};
    const stream::FormatContext context{.request = &stream_.request(), .info = stream_.info()};
    redirect.headers.emplace_back("location", route::redirectLocation(match, stream_.request(), context));
    return answer(std::move(redirect));
  }
  if (match.route->direct_response != nullptr) return answer(directReply(*match.route->direct_response, stream_));
  if (const std::string_view word = settings_.strict_words.findMalformed(stream_.request()); !word.empty()) {
    return answer({400,
                   base::strCat("invalid header '", word, "'"),
                   "request_headers_failed_strict_check",
                   {},
                   ResponseFlag::kInvalidEnvoyRequestHeaders});
  }
  attempt_->setCluster(findCluster(services_.part<upstream::ClusterSet>(), stream_));
  if (!attempt_->cluster()) {
    return answer(
        {match.route->forward->cluster_not_found_status, "", "cluster_not_found", {}, ResponseFlag::kNoClusterFound});
  }
  stream_.info().upstream_cluster = attempt_->cluster()->config().name;
  const AnswerStats answers = answerStats();
  attempt_->countAnswers(answers);
  counts_.begin(*attempt_->cluster(), stream_, answers);
  if (auto dropped = dropReply(*attempt_->cluster(), stream_, !settings_.suppress_envoy_headers)) {
    return answer(*std::move(dropped));
  }
  request_.begin(end_stream);
  // Until its body comes it takes no connection and no place in a breaker.
  phase_ = Phase::kAwaitsBody;
  if (!request_.bodyFollows()) forward();
}

void Router::forward() {
  phase_ = Phase::kForwarded;
  if (!takeHost()) return;
  runner_.limitWindow(attempt_->cluster()->config().per_connection_buffer_limit);
  stream_.info().attempt_count = 1;
  if (const route::Rewritten rewritten = finalizeHead(stream_.route()); !rewritten) {
    attempt_->cancel();
    return answer({400, "", rewritten.refusal});
  }
  if (request_.whole()) armTimeout();
  startAttempt();
  const route::Forward& action = *stream_.route().route->forward;
  if (const route::MirrorPolicies* mirrors = mirrorsOf(action); mirrors != nullptr && phase_ != Phase::kDone) {
    makeMirrors(action, *mirrors);
  }
}

// False: there is none, and that was answered unless another attempt may be.
bool Router::takeHost() {
  upstream::WorkerCluster& cluster = *attempt_->cluster();
  if (!attempt_->take(pickHost(cluster, stream_.request(), &stream_, retries_))) {
    if (retries_ != nullptr && awaitsOther(*attempt_)) return false;
    const upstream::FailureText& text = upstream::kNoHostText;
    answer({text.status, std::string(text.body), text.details, {}, text.flag});
    return false;
  }
  if (stream_.info().attempt_count > 0) stream_.info().noteAttempt();  // the one before
  describeHost(stream_, cluster.config(), attempt_->host());
  return true;
}

void Router::startAttempt() {
  const route::Forward& action = *stream_.route().route->forward;
  const stream::StreamInfo& info = stream_.info();
  const bool named_by_host = action.auto_host_rewrite && !attempt_->host().hostname().empty();
  if (named_by_host && info.upstream_host_name != request_.authority()) {
    route::keepAuthority(action, request_.askedAuthority(), stream_.request(), rewriteOptions());
  }
  if (!stream::tellInternalHops(attempt_->host().address(), info.internal_hops, stream_.request())) {
    attempt_->cancel();
    cancelOthers(*attempt_);
    return answer({508, "", "internal_listener_loop"});
  }
  told_ = services_.loop.now();
  attempt_->followed = false;
  attempt_->chooseFilters();
  if (timeout_.of_stream) attempt_->limitDuration(*timeout_.of_stream);
  attempt_->start(stream_.request(),
                  {.authority = named_by_host ? info.upstream_host_name : request_.authority(),
                   .scheme = info.match_upstream_scheme ? attempt_->scheme() : std::string_view()},
                  action.high_priority ? RoutingPriority::kHigh : RoutingPriority::kDefault, clientAddresses());
}

// Once, for all attempts.
void Router::makeRetries(const route::Forward& action) {
  http::RequestHeaders& headers = stream_.request();
  const route::RequestPolicies* const own = attempt_->cluster()->config().request_policies.get();
  const route::RetryPolicy* const policy = own != nullptr && own->retry ? own->retry.get() : action.retry_policy;
  if (policy == nullptr && !RetryRules::asked(headers)) return;
  RetryRules rules(policy, headers, action.hedge_on_per_try_timeout);
  if (rules.any()) {
    request_.keepBody(bodyLimit(action));
  }
  retries_ = filter::makeIn<Retries>(stream_.arena(), std::move(rules), timeout_.duration, services_.loop.timers(),
                                     static_cast<Retries::User&>(*this));
}

// Behind the first attempt, which is on its way. What a tunnel carries is an exchange with one host.
void Router::makeMirrors(const route::Forward& action, const route::MirrorPolicies& policies) {
  if (request_.asksTunnel()) return;
  const RequestMirrors::Request request{.authority = request_.authority(),
                                        .end_stream = request_.whole(),
                                        .timeout = timeout_.duration,
                                        .most_waiting = bodyLimit(action)};
  mirrors_ = RequestMirrors::start(services_, stream_, policies, request);
}

// What all attempts say.
route::Rewritten Router::finalizeHead(const route::Match& match) {
  http::RequestHeaders& headers = stream_.request();
  if (match.route->forward->internal_redirects != nullptr)
    words_ = filter::makeIn<CallersWords>(stream_.arena(), headers);
  timeout_ = chooseTimeout(*match.route->forward, headers, settings_.heeds_expected_timeout);
  if (stream_.info().internal_redirects > 0) {
    timeout_ = lessRedirects(timeout_, stream_.info(), services_.loop.now());
  }
  if (words_ != nullptr) request_.keepBody(bodyLimit(*match.route->forward));
  makeRetries(*match.route->forward);
  // In front of the route's header mutations, which may tell it on under another name.
  if (const milliseconds expected = timeOfTry(timeout_.duration);
      !settings_.suppress_envoy_headers && expected.count() > 0) {
    setNumber(headers, Name::kXEnvoyExpectedRqTimeoutMs, expected.count());
  }
  if (attemptHeaders().count_in_request) setNumber(headers, Name::kXEnvoyAttemptCount, 1);
  const stream::FormatContext context{.request = &headers, .info = stream_.info()};
  const route::Rewritten rewritten = route::finalizeRequest(match, headers, context, rewriteOptions());
  if (!rewritten) return rewritten;
  if (headers.upgrade == "websocket" && headers.protocol == http::Protocol::kHttp2 &&
      !headers.get("sec-websocket-key")) {
    base::Arena& arena = stream_.arena();
    headers.addView(Name::kOther, "sec-websocket-key", makeWebSocketKey(arena, stream_.random(), stream_.random()));
  }
  request_.headIsFinal();
  return {};
}

void Router::requestEnded() {
  request_.end();
  if (!request_.asksTunnel()) armTimeout();
}

// The route's timeout counts from the end of the request, so a slow upload does not use it up.
void Router::armTimeout() {
  if (phase_ == Phase::kDone) return;
  if (timeout_.duration.count() > 0) {
    deadline_ = services_.loop.now() + timeout_.duration;
    downstream_.armDeadline(timeout_.duration);
  }
  if (retries_ != nullptr) retries_->requestEnded();
}

// What one of the attempts has of what is left for all of them. 0: as long as it likes. One that another one is made
// beside goes on.
milliseconds Router::timeOfTry(milliseconds left) const {
  const bool ends_try = retries_ != nullptr && !retries_->rules().hedges();
  const milliseconds of_try = ends_try ? retries_->perTryTimeout() : milliseconds(0);
  if (of_try.count() == 0 || left.count() == 0) return std::max(of_try, left);
  return std::min(of_try, left);
}

void Router::requestData(std::string_view data, bool end_stream) {
  if (phase_ == Phase::kAwaitsBody) forward();
  if (phase_ == Phase::kDone) return;
  if (end_stream) requestEnded();
  sendBody(data);
  if (mirrors_ == nullptr) return;
  const size_t dropped = mirrors_->data(data, end_stream);
  if (dropped > 0) count(&ClusterStats::retry_or_shadow_abandoned, dropped);
}

void Router::sendBody(std::string_view data) {
  if (request_.asksTunnel() && phase_ != Phase::kTunnel) {
    if (phase_ == Phase::kAnswered) return;  // nobody's once the tunnel was refused
    const bool refused = settings_.refuses_early_connect_data && !data.empty() && stream_.request().upgrade.empty();
    if (!refused) return request_.hold(data);
    attempt_->cancel();
    cancelOthers(*attempt_);
    return answer(earlyConnectData());
  }
  if (!attempt_->open()) return request_.hold(data);
  moved(*attempt_);
  const bool was_replayable = request_.replayable();
  request_.send(*attempt_, data);
  noteBody(was_replayable);
  // The end of a tunnel whose response had ended. Other attempts that are over have said so.
  if (phase_ == Phase::kTunnel && !attempt_->running()) responseComplete();
}

void Router::noteBody(bool was_replayable) {
  if (!was_replayable || request_.replayable() || phase_ >= Phase::kAnswered) return;
  if (request_.keepsBody()) count(&ClusterStats::retry_or_shadow_abandoned);
}

void Router::requestTrailers() {
  if (phase_ == Phase::kAwaitsBody) forward();
  if (phase_ == Phase::kDone) return;
  request_.holdTrailers();
  requestEnded();
  attempt_->sendTrailers(stream_.requestTrailers());
  if (mirrors_ != nullptr) mirrors_->trailers(stream_.requestTrailers());
}

void Router::sendOn(Try& attempt) {
  stream::StreamInfo& info = stream_.info();
  info.upstream_connection_id = attempt.exchange().connectionId();
  info.upstream_tls = attempt.exchange().tls();
  info.upstream_connect = attempt.exchange().connectTimes();
  info.upstream_protocol = attempt.exchange().protocol();
  const event::TimePoint now = services_.loop.now();
  info.upstream_request_start = info.since(now);
  info.upstream_pool_wait = now - attempt.began();
  counts_.add(&RequestStats::total);
  // One that is followed had its time, though its connection comes only now.
  if (retries_ != nullptr && attempt_.isLast(attempt) && !attempt.followed) retries_->tryBegan(request_.whole());
  const bool was_replayable = request_.replayable();
  request_.sendTo(attempt);
  noteBody(was_replayable);
  if (!request_.headIsAll()) runner_.requestProgress();
}

// --- ends of an attempt

std::optional<RetryState::Repeat> Router::retry(const AttemptEnd& failure) {
  // What a host refuses is the policy's, if it says anything of it.
  const bool refused = failure.kind == AttemptEnd::Kind::kReset && failure.reset == http::ResetReason::kRefused;
  if (refused && retries_ != nullptr && retries_->rules().coverFailure(failure, true)) return std::nullopt;
  const auto how = retry_state_.after(failure, request_.forRetry(failure.reset));
  if (how) {
    stream_.info().noteAttempt();
    ++stream_.info().attempt_count;
    tellRetry();
  }
  return how;
}

bool Router::retryFailed(const Try& attempt, const AttemptEnd& failure) {
  const bool began = failure.kind != AttemptEnd::Kind::kNoConnection;  // its head goes out as soon as there is one
  const bool of_try = failure.kind == AttemptEnd::Kind::kTimeout && failure.timer != AttemptEnd::Timer::kMaxDuration;
  const bool covered = !attempt.followed && retries_->rules().coverFailure(failure, began);
  return (covered && retryIfAllowed(attempt, nullptr, of_try)) || leavesToOthers(attempt);
}

bool Router::retryIfAllowed(const Try& attempt, const http::ResponseHeaders* answer, bool after_timeout) {
  const Retries::Wish wish{.answer = answer, .after_timeout = after_timeout, .replayable = request_.replayable()};
  const bool again = retries_->again(attempt, wish, stream_, retry_state_);
  if (again) counts_.add(&RequestStats::retry);
  if (!again && retries_->refusal() == Retries::Refusal::kSpent) counts_.add(&RequestStats::retry_limit_exceeded);
  if (!again && retries_->refusal() == Retries::Refusal::kNoPlace) counts_.add(&RequestStats::retry_overflow);
  return again;
}

bool Router::retryAnswered(Try& attempt) {
  if (!retries_->rules().coverAnswer(attempt.responseHead(), stream_.request())) {
    if (retries_->made() > 0) {
      count(&ClusterStats::rq_retry_success);
      counts_.add(&RequestStats::retry_success);
    }
    retries_->refuse(Retries::Refusal::kNone);
    settleOn(attempt);
    return false;
  }
  const bool marked = attempt.responseHead().has(kRetryMark);
  if (marked) retries_->refuse(Retries::Refusal::kByUpstream);
  if (!marked && !attempt.followed && retryIfAllowed(attempt, &attempt.responseHead(), false)) return true;
  if (leavesToOthers(attempt)) return true;
  retries_->tellRefusal(stream_.info());
  settleOn(attempt);
  return false;
}

// A try takes too long: it goes on, and another one is made if it may be. False: the request does not hedge, or has not
// ended yet, and what comes of it goes to one try only.
bool Router::hedge() {
  if (!retries_->rules().hedges() || phase_ >= Phase::kAnswered || !request_.whole()) return false;
  retries_->tryPassed();
  attempt_->noteSlow();
  attempt_->followed = retryIfAllowed(*attempt_, nullptr, true);
  return true;
}

// It is over without an answer to pass on, and another one may bring one.
bool Router::leavesToOthers(const Try& attempt) {
  if (!awaitsOther(attempt)) return false;
  if (attempt_.isLast(attempt)) retries_->tryPassed();
  return true;
}

// The answer is this one's, and nobody waits for the others.
void Router::settleOn(Try& attempt) {
  retries_->settled();
  cancelOthers(attempt);
  if (attempt_.isLast(attempt)) return;
  attempt_.setLast(attempt);
  retries_->notes().putBack(attempt, stream_.info());
  describeHost(stream_, attempt.cluster()->config(), attempt.host());
}

void Router::retryNow() {
  Try& last = *attempt_;
  attempt_.setLast(attempt_.idle(stream_.arena(), *this));
  if (!attempt_.isLast(last)) retries_->notes().keep(last, stream_.info());
  ++stream_.info().attempt_count;
  if (!takeHost()) {
    if (phase_ != Phase::kDone) --stream_.info().attempt_count;  // the others go on without it
    return attempt_.setLast(last);
  }
  tellRetry();
  startAttempt();
}

// What is another one for each attempt, as far as its host is told at all.
void Router::tellRetry() {
  const event::TimePoint now = services_.loop.now();
  const bool counts = deadline_ != event::TimePoint();
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - now);
  AttemptWords words{.passed = now - told_};
  if (attemptHeaders().count_in_request) words.number = stream_.info().attempt_count;
  if (attemptHeaders().is_timeout_retry && retries_ != nullptr) words.after_timeout = retries_->afterTimeout();
  if (!settings_.suppress_envoy_headers) {
    words.time = timeOfTry(counts ? std::max(left, milliseconds(1)) : timeout_.duration);
  }
  words.putInto(stream_.request());
  told_ = now;
}

void Router::attemptFailed(const AttemptEnd& failure) {
  const bool answered = phase_ >= Phase::kAnswered;
  finish();
  stream::StreamInfo& info = stream_.info();
  if (retries_ != nullptr) retries_->tellRefusal(info);
  if (failure.kind == AttemptEnd::Kind::kNoConnection) {
    info.upstream_transport_failure_reason = stream_.arena().copy(failure.text);
  }
  // Which rule a host broke, or which filter gave up, is told nowhere else.
  const bool told = failure.reset == http::ResetReason::kProtocolError || failure.reset == http::ResetReason::kLocal;
  if (failure.kind == AttemptEnd::Kind::kReset && told) info.upstream_transport_failure_reason = failure.text;
  const upstream::AttemptText text = upstream::textOf(failure);
  if (answered) {
    info.response_flags.set(text.before.flag);
    return runner_.resetResponse(text.after);
  }
  Reply reply{text.before.status, std::string(text.before.body), text.before.details, {}, text.before.flag};
  if (text.before.flag == ResponseFlag::kUpstreamOverflow && !settings_.suppress_envoy_headers) {
    reply.headers.emplace_back("x-envoy-overloaded", "true");
  }
  if (retries_ != nullptr && !retries_->mark().empty()) {
    reply.headers.emplace_back(textOf(kRetryMark), retries_->mark());
  }
  if (failure.kind == AttemptEnd::Kind::kTimeout) {
    if (failure.timer == AttemptEnd::Timer::kRequest) counts_.add(&RequestStats::timeout);
    const bool of_stream = failure.timer == AttemptEnd::Timer::kMaxDuration;
    if (of_stream && !request_.whole()) reply.status = 408;
    if (!of_stream && timeout_.of_grpc) reply.grpc_status = http::grpc::kDeadlineExceeded;
  }
  answer(std::move(reply));
}

void Router::deadlineExpired() {
  if (phase_ == Phase::kDone || timeout_.duration.count() == 0) return;
  attempt_.forOthers(*attempt_, [](Try& other) { other.expireUntold(); });
  attempt_->expire();
}

// --- the response

bool Router::acceptsTunnel() const {
  if (!request_.asksTunnel()) return false;
  const uint16_t status = stream_.response().status;
  return stream_.request().upgrade.empty() ? status / 100 == 2 : status == 101;
}

// Answers that go on until someone has had enough. A timeout that nobody chose does not end them, nor does any timeout
// of the route end a tunnel: the stream's idle timeout is what holds.
bool Router::endless() const {
  if (phase_ == Phase::kTunnel) return true;
  if (!timeout_.by_default) return false;
  const std::string_view type = stream_.response().get(Name::kContentType).value_or("");
  return type.starts_with("text/event-stream") || type.starts_with("application/grpc");
}

// The redirect is not for the client: the request has begun again, and here everything is over.
bool Router::redirected() {
  const route::InternalRedirectPolicy* policy = stream_.route().route->forward->internal_redirects;
  if (words_ == nullptr || policy == nullptr || !policy->takes(stream_.response().status)) return false;
  const bool at_hand = request_.whole() && request_.replayable() && !request_.asksTunnel();
  if (at_hand) {
    AttemptWords{.passed = services_.loop.now() - told_}.putInto(stream_.request());  // grpc-timeout
    words_->putInto(stream_.request());
  }
  const std::string body = at_hand ? request_.heldBody() : std::string();
  const bool followed =
      at_hand && downstream_.redirect({.policy = *policy, .headers_only = request_.headIsAll(), .body = body});
  count(followed ? &ClusterStats::internal_redirect_succeeded : &ClusterStats::internal_redirect_failed);
  return followed;
}

void Router::responseHead(Try& attempt, bool end_stream) {
  stream_.response().take(attempt.responseHead());
  if (redirected()) return;
  phase_ = acceptsTunnel() ? Phase::kTunnel : Phase::kAnswered;
  if (endless()) timeout_.duration = milliseconds(0);
  retry_state_.leavePlace();
  phase_ == Phase::kTunnel ? runner_.beginTunnel() : request_.forget();
  if (retries_ != nullptr) {
    retries_->answered();
    retries_->moved();
  }
  stream::StreamInfo& info = stream_.info();
  info.response_start = info.since(services_.loop.now());
  attempt.tellSource(info);
  counts_.answered(stream_.response(), attempt.of_canary, attempt.zone);
  finalizeResponse(attempt);
  if (!attempt.running()) responseComplete();
  runner_.responseHeaders(end_stream);
  if (phase_ != Phase::kTunnel) return;
  request_.sendAhead(attempt);
  if (!attempt.running()) return responseComplete();
  runner_.requestProgress();
}

void Router::finalizeResponse(const Try& attempt) {
  http::ResponseHeaders& headers = stream_.response();
  const http::RequestHeaders& request = stream_.request();
  if (phase_ == Phase::kTunnel && request.upgrade == "websocket" && !headers.get("sec-websocket-accept")) {
    if (const auto key = request.get("sec-websocket-key")) {
      headers.addView(Name::kOther, "sec-websocket-accept", webSocketAccept(stream_.arena(), *key));
    }
  }
  if (!settings_.suppress_envoy_headers) {
    const auto took = std::chrono::duration_cast<milliseconds>(services_.loop.now() - attempt.began());
    setNumber(headers, Name::kXEnvoyUpstreamServiceTime, took.count());
  }
  if (attemptHeaders().count_in_response) {
    setNumber(headers, Name::kXEnvoyAttemptCount, stream_.info().attempt_count);
  }
  if (retries_ != nullptr && !retries_->mark().empty()) headers.set(kRetryMark, retries_->mark());
  route::finalizeResponse(stream_.route(), headers,
                          stream::FormatContext{.request = &request, .response = &headers, .info = stream_.info()});
  for (const auto* cookie = stream_.responseCookies(); cookie != nullptr; cookie = cookie->next) {
    headers.addView(Name::kSetCookie, cookie->text);
  }
}

void Router::noteResponseBody() {
  stream::StreamInfo& info = stream_.info();
  if (info.response_body_start == stream::StreamInfo::kNotYet)
    info.response_body_start = info.since(services_.loop.now());
}

void Router::responseComplete() {
  stream::StreamInfo& info = stream_.info();
  info.upstream_response_end = info.since(services_.loop.now());
  counts_.took(services_.loop.now() - attempt_->began());
  const bool tunnel = phase_ == Phase::kTunnel;
  finish();
  if (tunnel) runner_.endTunnel();
}

}  // namespace

void answerLocally(filter::ChainRunner& runner, filter::Stream& stream, Reply reply) {
  if (stream.route().route != nullptr) {
    http::ResponseHeaders headers(stream.arena());
    headers.status = reply.status;
    for (const auto& [name, value] : reply.headers) headers.add(name, value);
    if (stream.info().attempt_count > 0 && stream.route().virtual_host->attempt_headers.count_in_response) {
      setNumber(headers, Name::kXEnvoyAttemptCount, stream.info().attempt_count);
    }
    const stream::FormatContext context{.request = &stream.request(), .response = &headers, .info = stream.info()};
    route::finalizeResponse(stream.route(), headers, context);
    reply.headers.clear();
    for (const http::Field& field : headers) reply.headers.emplace_back(field.name, field.value);
  }
  runner.localReply(std::move(reply));
}

filter::Terminal* RouterSettings::make(worker::WorkerServices& services, filter::ChainRunner& runner,
                                       filter::Stream& stream, filter::Downstream& downstream) const {
  if (endsTunnel(stream)) return makeConnectEnd(services, runner, stream, refuses_early_connect_data);
  return filter::makeIn<Router>(stream.arena(), *this, services, runner, stream, downstream);
}

}  // namespace sluice::router
