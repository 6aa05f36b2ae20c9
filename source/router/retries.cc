#include "source/router/retries.h"

#include <algorithm>
#include <utility>

namespace sluice::router {

Retries::Retries(RetryRules rules, milliseconds request_timeout, event::TimerQueue& timers, User& user)
    : rules_(std::move(rules)),
      per_try_timeout_(request_timeout.count() > 0 && rules_.perTryTimeout() >= request_timeout
                           ? milliseconds(0)
                           : rules_.perTryTimeout()),
      wait_(timers, [&user] { user.retryNow(); }),
      try_(timers, [&user] { user.tryExpired(Timer::kPerTry); }),
      idle_(timers, [&user] { user.tryExpired(Timer::kPerTryIdle); }) {}

void Retries::tryBegan(bool request_ended) {
  in_try_ = true;
  if (request_ended) armTry();
  moved();
}

void Retries::endTry() {
  in_try_ = false;
  try_.cancel();
  idle_.cancel();
}

void Retries::backOff(milliseconds wait, const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts,
                      bool after_timeout) {
  endTry();
  ++made_;
  after_timeout_ = after_timeout;
  if (!rules_.policy().host_predicates.empty()) tried_.push_back(&host);
  if (rules_.policy().priority) passOver(host, hosts);
  // Not in this turn of the loop: a host that fails at once would be given all retries in one, while time stands.
  wait_.arm(std::max(wait, milliseconds(1)));
}

void Retries::passOver(const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts) {
  tried_priorities_.push_back(static_cast<uint8_t>(hosts.priorityOf(host.slot())));
  passed_over_ = rules_.policy().priority->passedOver(tried_priorities_);
  if (passed_over_.none() || hosts.hasOthers(passed_over_)) return;
  tried_priorities_.clear();
  passed_over_.reset();
}

void Retries::stop() {
  endTry();
  wait_.cancel();
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
