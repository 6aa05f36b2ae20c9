// The retries of one request by policy: its rules, the wait in front of the next attempt, how long a try may take, and
// where the request has been. In the stream's arena; only a request with a policy or a caller's wish has one. Thread:
// the worker's.
//
// A request that hedges (hedge_on_per_try_timeout) has several tries at once: one that has passed a limit goes on while
// another one is made beside it. What is said of "the try" here is the last one that was made, which is the only one
// that may be followed by a further one.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "source/event/timer.h"
#include "source/router/attempt_notes.h"
#include "source/router/host_choice.h"
#include "source/router/retry_rules.h"
#include "source/stream/stream_info.h"

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
  Retries(RetryRules&& rules, milliseconds request_timeout, event::TimerQueue& timers, User& user);

  RetryRules& rules() { return rules_; }
  milliseconds perTryTimeout() const { return per_try_timeout_; }  // 0: none
  // Why the policy's wish for a further attempt is not followed.
  enum class Refusal : uint8_t { kNone, kBodyOverLimit, kSpent, kNoPlace, kByUpstream };
  Refusal refusal() const { return refusal_; }

  // Of the last failure: a limit of a try.
  bool afterTimeout() const { return after_timeout_; }
  // How many were made.
  uint32_t made() const { return made_; }
  // False. Kept until it is known whether it matters; kNone: it does not.
  bool refuse(Refusal why) {
    refusal_ = why;
    return false;
  }
  // The request ends with what it has: what of it is told, in the log and by mark().
  void tellRefusal(stream::StreamInfo& info);
  // What the answer is marked with, which is not sent again though the policy wants it; empty: no mark.
  std::string_view mark() const { return mark_; }

  // --- one try
  // It has a connection. The longest time of a try counts from the end of the request.
  void tryBegan(bool request_ended);
  void requestEnded() {
    if (in_try_ && !answered_) armTry();
  }
  // Bytes went either way.
  void moved() {
    if (in_try_ && rules_.perTryIdleTimeout().count() > 0) armIdle();
  }
  // It has passed a limit and goes on, so none holds for it any more.
  void tryPassed() { endTry(); }
  // An answer is passed on, or taken otherwise: no further try is made.
  void settled() {
    cancel(try_);
    cancel(wait_);
  }
  // Its head is passed on, and its try is the only one from now on: only silence is too long.
  void answered() {
    answered_ = in_try_ = true;
    settled();
  }

  // Of tries that are not the last one and go on.
  AttemptNotes& notes() { return notes_; }

  // --- between two
  // The policy wants another attempt behind one.
  struct Wish {
    const http::ResponseHeaders* answer = nullptr;  // which it is not happy with; null: there was none
    bool after_timeout = false;                     // a limit of a try was over
    bool replayable = true;                         // the request is at hand
  };
  // True: it is made after a wait, for which the request has its place of `places`. False: it may not be, and why is
  // kept. `attempt` holds its host.
  bool again(const upstream::Attempt& attempt, const Wish& wish, filter::Stream& stream, upstream::RetryState& places);
  bool waiting() const { return wait_ && wait_->armed(); }
  // Nothing more is wanted.
  void stop();

  // --- HostRefusals
  uint32_t attempts() const override { return made_; }
  uint32_t repicks() const override;
  bool refuses(const upstream::cluster::Host& host) const override;
  const base::PrioritySet* passedOver() const override { return passed_over_.none() ? nullptr : &passed_over_; }

 private:
  // Made where it is armed first: most requests never arm one.
  using LateTimer = std::optional<event::Timer>;
  template <typename OnExpiry>
  void arm(LateTimer& timer, milliseconds delay, OnExpiry on_expiry) {
    if (!timer) timer.emplace(timers_, on_expiry);
    timer->arm(delay);
  }
  static void cancel(LateTimer& timer) {
    if (timer) timer->cancel();
  }
  void backOff(milliseconds wait, const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts);
  void passOver(const upstream::cluster::Host& host, const upstream::cluster::HostSet& hosts);
  void armTry() {
    if (per_try_timeout_.count() == 0) return;
    arm(try_, per_try_timeout_, [this] { user_.tryExpired(Timer::kPerTry); });
  }
  void armIdle() {
    arm(idle_, rules_.perTryIdleTimeout(), [this] { user_.tryExpired(Timer::kPerTryIdle); });
  }
  void endTry();

  RetryRules rules_;
  event::TimerQueue& timers_;
  User& user_;
  const milliseconds per_try_timeout_;
  LateTimer wait_, try_, idle_;
  std::vector<const upstream::cluster::Host*> tried_;  // only compared: they may be gone
  std::vector<uint8_t> tried_priorities_;              // since they last began anew
  base::PrioritySet passed_over_;
  AttemptNotes notes_;
  std::string_view mark_;  // static text
  Refusal refusal_ = Refusal::kNone;
  uint32_t made_ = 0;
  bool in_try_ = false;
  bool answered_ = false;
  bool after_timeout_ = false;
};

}  // namespace sluice::router
