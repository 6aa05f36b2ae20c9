#include "source/upstream/attempt.h"

#include <chrono>
#include <utility>

#include "source/upstream/cluster/health_check_config.h"
#include "source/upstream/failure_text.h"

namespace sluice::upstream {

using cluster::HostStat;
using std::chrono::milliseconds;

namespace {

// What observers are told of an end that says nothing of the host.
constexpr AttemptEnd kNotOfHost{.kind = AttemptEnd::Kind::kCancelled};

}  // namespace

std::string_view Attempt::scheme() const {
  const cluster::ClusterConfig& config = cluster_->config();
  const net::TransportFactory* transport = running() ? config.transportOf(host_->metadata()) : config.transport.get();
  return transport != nullptr && transport->isTls() ? "https" : "http";
}

bool Attempt::take(cluster::HostSlot slot) {
  if (slot == cluster::kNoHost) {
    cells().add(stats().cx_none_healthy);
    return false;
  }
  cluster_->requestStarted(slot);
  host_ = cluster_->hostPtr(slot).get();
  answered_ = slow_ = false;
  return true;
}

void Attempt::start(http::RequestHeaders& head, const HeadOverlay& overlay, cluster::RoutingPriority priority,
                    const ClientAddresses& client) {
  request_ = &head;
  overlay_ = overlay;
  priority_ = priority;
  overlay_.putOver(head);
  pool_ = &cluster_->poolFor(host_->slot(), priority, head, client);
  pool_->attemptBegins();
  began_ = cluster_->context().loop.now();
  cluster_->predict(priority);
  ask(false);
}

void Attempt::ask(bool fresh) {
  if (!cluster_->observers().empty()) noteBegin();
  pool_->request(stage_ == nullptr ? exchange_ : stage_->begin(*this),
                 {.fresh = fresh, .upgrade = !request_->upgrade.empty()});
}

void Attempt::repeat(const AttemptEnd& end, RetryState::Repeat how) {
  cells().add(stats().rq_retry);
  if (!cluster_->observers().empty()) noteEnd(end);
  ask(how.fresh);
}

void Attempt::sendHead(bool end_stream) {
  overlay_.putOver(*request_);
  const milliseconds longest = longest_.count() < 0 ? cluster_->config().http.max_stream_duration : longest_;
  if (longest.count() > 0) armDuration(longest);
  stage_ == nullptr ? exchange_.sendHeaders(*request_, end_stream) : stage_->sendHeaders(*request_, end_stream);
}

void Attempt::armDuration(milliseconds longest) {
  if (duration_ == nullptr) {
    void* const place = response_.arena().allocate(sizeof(event::Timer));
    duration_ = new (place) event::Timer(cluster_->context().loop.timers(), [this] { durationReached(); });
  }
  duration_->arm(longest);
}

void Attempt::sendData(std::string_view data, bool end_stream) {
  stage_ == nullptr ? exchange_.sendData(data, end_stream) : stage_->sendData(data, end_stream);
  if (answered_ && !open()) responseEnded();  // a tunnel whose response had ended
}

void Attempt::headCame() {
  answered_ = true;
  status_ = response_.status;
  countFinal(status_);
  if (counted_ != AnswerStats::kNone) cells().add(stats().rq_completed);
  if (!cluster_->observers().empty()) noteHead();
  if (!open()) responseEnded();
}

void Attempt::trailersCame(const http::Trailers& trailers) {
  if (!running() || !ofHost() || cluster_->observers().empty()) return;
  cluster_->observers().forEach([&](AttemptObserver& observer) { observer.onAttemptTrailers(*this, trailers); });
}

void Attempt::responseEnded() {
  if (!running()) return;
  if (counted_ != AnswerStats::kNone) {
    cells().record(stats().rq_time,
                   std::chrono::duration_cast<milliseconds>(cluster_->context().loop.now() - began_).count());
  }
  finish({});
}

void Attempt::countEnd(const AttemptEnd& end) {
  if (end.kind == AttemptEnd::Kind::kReset) {
    cells().add(end.reset == http::ResetReason::kLocal ? stats().rq_tx_reset : stats().rq_rx_reset);
  }
  if (end.kind != AttemptEnd::Kind::kTimeout) return;
  using Timer = AttemptEnd::Timer;
  if (end.timer == Timer::kMaxDuration) return cells().add(stats().rq_max_duration_reached);
  cells().add(end.timer == Timer::kPerTry       ? stats().rq_per_try_timeout
              : end.timer == Timer::kPerTryIdle ? stats().rq_per_try_idle_timeout
                                                : stats().rq_timeout);
  if (pool_ != nullptr) pool_->hostStats().add(HostStat::kRqTimeout);
}

// Another attempt is made for it: its user has no answer to count, and counts the retry.
void Attempt::leave(const AttemptEnd& end) {
  countEnd(end);
  pool_->hostStats().add(HostStat::kRqError);
  finish(end);
}

// The same for one whose answer its user does not want.
void Attempt::leaveAnswer() {
  answered_ = true;
  status_ = response_.status;
  cluster_->countRetried(status_);
  if (ofHost()) pool_->hostStats().add(HostStat::kRqError);
  if (!cluster_->observers().empty()) noteHead();
  if (open()) cells().add(stats().rq_tx_reset);
  finish({});
}

void Attempt::giveUp(const AttemptEnd& end) {
  countEnd(end);
  // What its user answers, if that has to.
  if (!answered_) countFinal(textOf(end).before.status);
  finish(end);
}

void Attempt::cancel() {
  if (!running()) return;
  if (pool_ != nullptr) cells().add(open() ? stats().rq_tx_reset : stats().rq_cancelled);
  finish({.kind = AttemptEnd::Kind::kCancelled});
}

void Attempt::finish(const AttemptEnd& end) {
  if (!cluster_->observers().empty() && pool_ != nullptr) noteEnd(end);
  if (pool_ != nullptr) std::exchange(pool_, nullptr)->attemptEnds();
  if (duration_ != nullptr) std::exchange(duration_, nullptr)->~Timer();
  cluster_->requestFinished(*std::exchange(host_, nullptr));
  stage_ == nullptr ? exchange_.abandon() : stage_->abandon();
}

void Attempt::countClass(uint16_t status) {
  const cluster::ClusterStats& s = stats();
  switch (status / 100) {
    case 1:
      return cells().add(s.rq_1xx);
    case 2:
      return cells().add(s.rq_2xx);
    case 3:
      return cells().add(s.rq_3xx);
    case 4:
      return cells().add(s.rq_4xx);
    case 5:
      return cells().add(s.rq_5xx);
  }
}

// An accepted upgrade (101) is final, too.
void Attempt::countFinal(uint16_t status) {
  if (counted_ == AnswerStats::kAll) {
    countClass(status);
    if (status >= 200) cluster_->countCode(status);
  }
  if (!ofHost()) return;
  pool_->hostStats().add(status >= 500 ? HostStat::kRqError : HostStat::kRqSuccess);
}

void Attempt::noteBegin() {
  cluster_->observers().forEach([this](AttemptObserver& observer) { observer.onAttemptBegin(*this); });
}

void Attempt::noteHead() {
  if (!ofHost()) return;
  cluster_->observers().forEach([this](AttemptObserver& observer) { observer.onAttemptHead(*this); });
  // It was for us: whoever is in front would fail us for what a host of ours says of itself.
  if (cluster_->takesFailHeader()) response_.remove(cluster::kFailHeader);
}

void Attempt::noteSlow() {
  if (std::exchange(slow_, true) || !ofHost()) return;
  cluster_->observers().forEach([this](AttemptObserver& observer) { observer.onAttemptSlow(*this); });
}

void Attempt::noteEnd(const AttemptEnd& end) {
  const AttemptEnd& told = ofHost() ? end : kNotOfHost;
  cluster_->observers().forEach([this, &told](AttemptObserver& observer) { observer.onAttemptEnd(*this, told); });
}

}  // namespace sluice::upstream
