// The retries of one request by policy: its rules, the wait in front of the next attempt, how long a try may take, and
// where the request has been. In the stream's arena; only a request with a policy or a caller's wish has one. Thread:
// the worker's.
#pragma once

#include <string_view>
#include <vector>

#include "source/event/timer.h"
#include "source/router/host_choice.h"
#include "source/router/retry_rules.h"

namespace sluice::router {

class Retries final : public HostRefusals {
 public:
  using Timer = upstream::AttemptEnd::Timer;
  using milliseconds = std::chrono::milliseconds;

  class User {
   public:
    virtual ~User() = default;
    // The wait is over: time for another attempt.
    virtual void retryNow() = 0;
    // The attempt takes too long.
    virtual void tryExpired(Timer timer) = 0;
  };

  // `request_timeout`: 0: none. A limit of a try that is not below it does not hold.
  Retries(RetryRules rules, milliseconds request_timeout, event::TimerQueue& timers, User& user);

  RetryRules& rules() { return rules_; }
  milliseconds perTryTimeout() const { return per_try_timeout_; }  // 0: none
  // Of the last failure: a limit of a try.
  bool afterTimeout() const { return after_timeout_; }
  // How many were made.
  uint32_t made() const { return made_; }
  // What the answer is marked with, which is not sent again though the policy wants it; empty: no mark.
  std::string_view mark() const { return mark_; }
  void setMark(std::string_view why) { mark_ = why; }

  // --- one try
  // It has a connection. The longest time of a try counts from the end of the request.
  void tryBegan(bool request_ended);
  void requestEnded() {
    if (in_try_ && !answered_) armTry();
  }
  // Bytes went either way.
  void moved() {
    if (in_try_ && rules_.perTryIdleTimeout().count() > 0) idle_.arm(rules_.perTryIdleTimeout());
  }
  // Its head has come: from now on only silence is too long.
  void answered() {
    answered_ = true;
    try_.cancel();
  }

  // --- between two
  // `host`: of the attempt that failed, among `hosts`.
  void backOff(milliseconds wait, const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts,
               bool after_timeout);
  bool waiting() const { return wait_.armed(); }
  // Nothing more is wanted.
  void stop();

  // --- HostRefusals
  uint32_t attempts() const override { return made_; }
  uint32_t repicks() const override;
  bool refuses(const upstream::cluster::Host& host) const override;
  const base::PrioritySet* passedOver() const override { return passed_over_.none() ? nullptr : &passed_over_; }

 private:
  void passOver(const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts);
  void armTry() {
    if (per_try_timeout_.count() > 0) try_.arm(per_try_timeout_);
  }
  void endTry();

  RetryRules rules_;
  const milliseconds per_try_timeout_;
  event::Timer wait_, try_, idle_;
  std::vector<const upstream::cluster::Host*> tried_;  // only compared: they may be gone
  std::vector<uint8_t> tried_priorities_;              // since they last began anew
  base::PrioritySet passed_over_;
  std::string_view mark_;  // static text
  uint32_t made_ = 0;
  bool in_try_ = false;
  bool answered_ = false;
  bool after_timeout_ = false;
};

}  // namespace sluice::router
