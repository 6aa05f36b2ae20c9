// Coarse, lazy timers.
//
// A deadline that moves later costs one store: the queue entry stays where it is and is moved when it comes up.
// Cancelling costs one store too. Resolution: one turn of the loop. Thread: the loop's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace sluice::event {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

class TimerQueue;

// One deadline with what to do then. Destruction cancels. Not copyable, not movable: embed it in its owner.
class Timer {
 public:
  Timer(TimerQueue& queue, std::function<void()> on_expiry) : queue_(queue), on_expiry_(std::move(on_expiry)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Expires `delay` from the loop's now; moves a deadline that was set before.
  void arm(Duration delay);
  void armAt(TimePoint deadline);
  void cancel() { deadline_ = TimePoint::max(); }
  bool armed() const { return deadline_ != TimePoint::max(); }
  TimePoint deadline() const { return deadline_; }

 private:
  friend class TimerQueue;
  TimerQueue& queue_;
  std::function<void()> on_expiry_;
  TimePoint deadline_ = TimePoint::max();   // what the owner wants
  TimePoint scheduled_ = TimePoint::max();  // where it stands in the queue
  int32_t index_ = -1;                      // place in the heap, -1: not in it
};

// The timers of one loop: a binary heap by scheduled time.
class TimerQueue {
 public:
  TimePoint now() const { return now_; }
  void setNow(TimePoint now) { now_ = now; }
  // When runExpired has to be called next; TimePoint::max() if there is nothing to wait for.
  TimePoint next() const { return heap_.empty() ? TimePoint::max() : heap_.front()->scheduled_; }
  // Runs what is due at now(). A timer may arm, cancel or destroy any timer meanwhile, itself included.
  void runExpired();

 private:
  friend class Timer;
  [[gnu::noinline]] void place(Timer& timer, TimePoint at);  // rare: inlined, it would make armAt() dearer
  void remove(Timer& timer);
  void siftUp(size_t index);
  void siftDown(size_t index);
  void put(size_t index, Timer* timer) {
    heap_[index] = timer;
    timer->index_ = static_cast<int32_t>(index);
  }

  TimePoint now_ = Clock::now();
  std::vector<Timer*> heap_;
};

}  // namespace sluice::event
