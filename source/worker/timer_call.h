#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "source/event/timer.h"
#include "source/worker/calls.h"

namespace sluice::worker {

// What Calls::after() gives: it fires once, unless it is destroyed first. Thread of `timers`.
class TimerCall final : public Call {
 public:
  TimerCall(event::TimerQueue& timers, std::chrono::milliseconds delay, std::function<void()> on_expiry)
      : timer_(timers, std::move(on_expiry)) {
    timer_.arm(delay);
  }

 private:
  event::Timer timer_;
};

}  // namespace sluice::worker
