// A loop with virtual time and no descriptors, for tests and simulations.
#pragma once

#include <deque>

#include "source/event/loop.h"

namespace sluice::event {

class SimulatedLoop : public Loop {
 public:
  // Descriptors are the caller's to play: the watch is a token, events are given by calling the handler.
  std::unique_ptr<FdWatch> watch(int, uint32_t, Trigger, FdHandler&) override { return std::make_unique<Token>(); }
  void onSignal(int, std::function<void()>) override {}
  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }

  // Runs posted work, due timers and turn tasks until nothing is left at the present time.
  void settle() {
    for (int i = 0; i < 100000; ++i) {
      const bool had_posted = !posted_.empty();
      for (size_t n = posted_.size(); n > 0; --n) {
        auto work = std::move(posted_.front());
        posted_.pop_front();
        work();
      }
      timers_.runExpired();
      const bool had_work = hasTurnWork();
      endTurn();
      if (!had_posted && !had_work && posted_.empty() && !hasTurnWork()) return;
    }
  }
  // Moves time on by `by`, stopping at every deadline on the way.
  void advance(Duration by) {
    const TimePoint target = now() + by;
    settle();
    while (timers_.next() <= target) {
      timers_.setNow(std::max(now(), timers_.next()));
      settle();
    }
    timers_.setNow(target);
    settle();
  }
  void run() override { settle(); }
  void stop() override {}

 private:
  class Token : public FdWatch {
    void setInterest(uint32_t) override {}
  };
  std::deque<std::function<void()>> posted_;
};

}  // namespace sluice::event
