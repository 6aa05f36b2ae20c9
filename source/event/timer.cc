#include "source/event/timer.h"

namespace sluice::event {

Timer::~Timer() {
  if (index_ >= 0) queue_.remove(*this);
}

void Timer::arm(Duration delay) {
  // A delay beyond the clock's range is no deadline.
  const TimePoint now = queue_.now();
  armAt(delay >= TimePoint::max() - now ? TimePoint::max() : now + delay);
}

void Timer::armAt(TimePoint deadline) {
  deadline_ = deadline;
  if (deadline == TimePoint::max()) return;
  if (index_ >= 0 && scheduled_ <= deadline) return;  // comes up earlier and is moved then
  queue_.place(*this, deadline);
}

void TimerQueue::place(Timer& timer, TimePoint at) {
  timer.scheduled_ = at;
  if (timer.index_ < 0) {
    heap_.push_back(&timer);
    timer.index_ = static_cast<int32_t>(heap_.size() - 1);
  }
  siftUp(timer.index_);
  siftDown(timer.index_);
}

void TimerQueue::remove(Timer& timer) {
  const size_t index = timer.index_;
  timer.index_ = -1;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  put(index, last);
  siftUp(index);
  siftDown(last->index_);
}

void TimerQueue::siftUp(size_t index) {
  Timer* timer = heap_[index];
  while (index > 0) {
    const size_t parent = (index - 1) / 2;
    if (heap_[parent]->scheduled_ <= timer->scheduled_) break;
    put(index, heap_[parent]);
    index = parent;
  }
  put(index, timer);
}

void TimerQueue::siftDown(size_t index) {
  Timer* timer = heap_[index];
  while (true) {
    size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->scheduled_ < heap_[child]->scheduled_) ++child;
    if (timer->scheduled_ <= heap_[child]->scheduled_) break;
    put(index, heap_[child]);
    index = child;
  }
  put(index, timer);
}

void TimerQueue::runExpired() {
  while (!heap_.empty() && heap_.front()->scheduled_ <= now_) {
    Timer& timer = *heap_.front();
    if (timer.deadline_ > now_) {  // moved or cancelled since it was placed
      if (timer.armed()) {
        place(timer, timer.deadline_);
      } else {
        remove(timer);
      }
      continue;
    }
    remove(timer);
    timer.deadline_ = TimePoint::max();
    // Run a copy: the timer may be destroyed by what it runs.
    const std::function<void()> on_expiry = timer.on_expiry_;
    on_expiry();
  }
}

}  // namespace sluice::event
