#include "source/router/retries.h"

#include <algorithm>
#include <string>
#include <utility>

namespace sluice::router {

Retries::Retries(RetryRules&& rules, milliseconds request_timeout, event::TimerQueue& timers, User& user)
    : rules_(std::move(rules)),
      timers_(timers),
      user_(user),
      per_try_timeout_(request_timeout.count() > 0 && rules_.perTryTimeout() >= request_timeout
                           ? milliseconds(0)
                           : rules_.perTryTimeout()) {}

void Retries::tryBegan(bool request_ended) {
  in_try_ = true;
  if (request_ended) armTry();
  moved();
}

void Retries::endTry() {
  in_try_ = false;
  cancel(try_);
  cancel(idle_);
}

bool Retries::again(const upstream::Attempt& attempt, const Wish& wish, filter::Stream& stream,
                    upstream::RetryState& places) {
  const upstream::pool::PoolContext& context = attempt.cluster()->context();
  if (!wish.replayable) return refuse(Refusal::kBodyOverLimit);
  if (!rules_.takeOne()) {
    context.cells.add(context.stats.rq_retry_limit_exceeded);
    return refuse(Refusal::kSpent);
  }
  if (!places.takePlace(attempt.priority(), context.breakers)) {
    context.cells.add(context.stats.rq_retry_overflow);
    return refuse(Refusal::kNoPlace);
  }
  const stream::StreamInfo& info = stream.info();
  const RetryRules::Wait wait = rules_.nextWait(wish.answer, info.timeOfDay(timers_.now()), stream.random());
  context.cells.add(context.stats.rq_retry);
  context.cells.add(wait.told ? context.stats.rq_retry_backoff_ratelimited
                              : context.stats.rq_retry_backoff_exponential);
  after_timeout_ = wish.after_timeout;
  backOff(wait.time, attempt.host(), attempt.cluster()->hosts());
  return true;
}

void Retries::backOff(milliseconds wait, const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts) {
  endTry();
  ++made_;
  if (!rules_.policy().host_predicates.empty()) tried_.push_back(&host);
  if (rules_.policy().priority) passOver(host, hosts);
  // Not in this turn of the loop: a host that fails at once would be given all retries in one, while time stands.
  arm(wait_, std::max(wait, milliseconds(1)), [this] { user_.retryNow(); });
}

void Retries::passOver(const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts) {
  tried_priorities_.push_back(static_cast<uint8_t>(hosts.priorityOf(host.slot())));
  passed_over_ = rules_.policy().priority->passedOver(tried_priorities_);
  if (passed_over_.none() || hosts.hasOthers(passed_over_)) return;
  tried_priorities_.clear();
  passed_over_.reset();
}

void Retries::tellRefusal(stream::StreamInfo& info) {
  const char* why = nullptr;
  switch (refusal_) {
    case Refusal::kNone:
      return;
    case Refusal::kBodyOverLimit:
      why = "request_body_over_limit";
      break;
    case Refusal::kByUpstream:
      why = "refused_by_upstream";
      break;
    case Refusal::kSpent:
      info.response_flags.set(stream::ResponseFlag::kUpstreamRetryLimitExceeded);
      why = "retries_spent";
      // A policy that allows none has spent none: who asked may have some.
      if (made_ > 0) mark_ = why;
      break;
    case Refusal::kNoPlace:
      info.response_flags.set(stream::ResponseFlag::kUpstreamOverflow);
      mark_ = why = "too_many_retries";
      break;
  }
  // For the access log: %DYNAMIC_METADATA(sluice.router:retry_refused)%.
  info.metadata().set("sluice.router", "retry_refused", {std::string(why)});
}

void Retries::stop() {
  endTry();
  cancel(wait_);
}

uint32_t Retries::repicks() const {
  return rules_.policy().host_predicates.empty() ? 0 : rules_.policy().host_repicks;
}

bool Retries::refuses(const upstream::cluster::Host& host) const {
  const route::RetryHost asked{.metadata = host.metadata().fields(),
                               .tried = std::find(tried_.begin(), tried_.end(), &host) != tried_.end()};
  const auto& predicates = rules_.policy().host_predicates;
  return std::any_of(predicates.begin(), predicates.end(),
                     [&asked](const auto& predicate) { return predicate->refuses(asked); });
}

}  // namespace sluice::router
