#include "source/upstream/outcome_observer.h"

#include "source/http/grpc.h"
#include "source/upstream/attempt.h"

namespace sluice::upstream {

using cluster::Detection;
using cluster::HostStat;

namespace {

// What a connection that failed, and an answer that did not come in time, count as where they are not counted apart.
constexpr uint16_t kNotReached = 503;
constexpr uint16_t kTooLate = 504;

bool isGatewayFailure(uint16_t status) {
  return status == 502 || status == 503 || status == 504;
}

void endStreak(std::atomic<uint32_t>& streak) {
  if (streak.load(std::memory_order_relaxed) != 0) streak.store(0, std::memory_order_relaxed);
}

// In the words of HTTP.
uint16_t statusOf(const Attempt& attempt) {
  const std::optional<std::string_view> status = attempt.answer().get(http::Name::kGrpcStatus);
  const int number = status ? http::grpc::parseStatus(*status) : -1;
  return number < 0 ? attempt.status() : http::grpc::httpOfStatus(number);
}

}  // namespace

OutcomeObserver::Place OutcomeObserver::placeOf(const Attempt& attempt) const {
  return {attempt.host(), attempt.hostStats()};
}

void OutcomeObserver::onAttemptHead(const Attempt& attempt) {
  const Place place = placeOf(attempt);
  if (config_->split_local_origin) reached(place);
  answered(place, statusOf(attempt));
}

void OutcomeObserver::onAttemptEnd(const Attempt& attempt, const AttemptEnd& end) {
  using Kind = AttemptEnd::Kind;
  const Place place = placeOf(attempt);
  switch (end.kind) {
    case Kind::kComplete:
    case Kind::kCancelled:
      return;
    case Kind::kNoConnection:
      // A breaker and a host that left say nothing of the host.
      if (end.connection == pool::Failure::kConnectFailed) return failed(place, kNotReached);
      if (end.connection == pool::Failure::kConnectTimeout) return failed(place, kNotReached);
      return;
    case Kind::kReset:
      if (config_->split_local_origin && !attempt.answered()) reached(place);
      return failed(place, kNotReached);
    case Kind::kTimeout:
      // One that was slow was counted then. How long streams may live says nothing of the host.
      if (attempt.answered() || attempt.slow() || end.timer == AttemptEnd::Timer::kMaxDuration) return;
      return tooLate(attempt);
  }
}

void OutcomeObserver::tooLate(const Attempt& attempt) {
  const Place place = placeOf(attempt);
  if (config_->split_local_origin && attempt.open()) reached(place);
  failed(place, kTooLate);
}

void OutcomeObserver::onConnected(const cluster::Host& host, cluster::HostStats::Row& row, bool answers) {
  if (config_->split_local_origin) return reached({host, row});
  if (!answers) answered({host, row}, 200);
}

void OutcomeObserver::onAnswer(const cluster::Host& host, cluster::HostStats::Row& row) {
  answered({host, row}, 200);
}

// A host that ends its connection instead has failed by itself.
void OutcomeObserver::onNoAnswer(const cluster::Host& host, cluster::HostStats::Row& row, bool timed_out) {
  timed_out ? failed({host, row}, kTooLate) : answered({host, row}, 500);
}

void OutcomeObserver::onConnectFailed(const cluster::Host& host, cluster::HostStats::Row& row, bool timed_out) {
  failed({host, row}, timed_out ? kTooLate : kNotReached);
}

void OutcomeObserver::answered(Place place, uint16_t status) {
  cluster::Streaks& streaks = place.host.monitor().streaks();
  if (status < 500) {
    place.row.add(HostStat::kAnswerSuccess);
    endStreak(streaks.of_5xx);
    return endStreak(streaks.of_gateway);
  }
  place.row.add(HostStat::kAnswerFailure);
  if (isGatewayFailure(status)) {
    count(place, streaks.of_gateway, config_->consecutive_gateway_failure, Detection::kConsecutiveGatewayFailure);
  } else {
    endStreak(streaks.of_gateway);
  }
  count(place, streaks.of_5xx, config_->consecutive_5xx, Detection::kConsecutive5xx);
}

void OutcomeObserver::reached(Place place) {
  place.row.add(HostStat::kLocalSuccess);
  endStreak(place.host.monitor().streaks().of_local);
}

// Seen by the proxy itself: `status` if that is not counted apart.
void OutcomeObserver::failed(Place place, uint16_t status) {
  if (!config_->split_local_origin) return answered(place, status);
  place.row.add(HostStat::kLocalFailure);
  count(place, place.host.monitor().streaks().of_local, config_->consecutive_local_origin_failure,
        Detection::kConsecutiveLocalOriginFailure);
}

// Tells at the limit and not again before as many more: main begins the streak anew, if it still has the host. A streak
// may be beyond the limit already, if that was a higher one.
void OutcomeObserver::count(Place place, std::atomic<uint32_t>& streak, uint32_t limit, Detection what) {
  const uint32_t length = streak.fetch_add(1, std::memory_order_relaxed) + 1;
  if (limit != 0 && length % limit == 0 && reports_) reports_->detected(place.host.monitorPtr(), what);
}

}  // namespace sluice::upstream
