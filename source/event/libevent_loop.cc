#include <event2/event.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "source/base/intrusive_list.h"
#include "source/event/loop.h"

namespace sluice::event {
namespace {

struct EventFree {
  void operator()(struct event* e) const { event_free(e); }
};
using EventPtr = std::unique_ptr<struct event, EventFree>;

struct BaseFree {
  void operator()(event_base* base) const { event_base_free(base); }
};

event_base* makeBase() {
  event_config* config = event_config_new();
  event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_EARLY_CLOSE);
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  if (base == nullptr) std::abort();  // no epoll: nothing can run
  return base;
}

// The loop's time, read once after each wait by the first callback that runs.
class TurnClock {
 public:
  explicit TurnClock(TimerQueue& timers) : timers_(timers) {}
  void beforeWait() { read_ = false; }
  void afterWait() {
    if (read_) return;
    read_ = true;
    timers_.setNow(Clock::now());
  }

 private:
  TimerQueue& timers_;
  bool read_ = false;
};

class ErrorCheck;

class Watch : public FdWatch, public base::ListNode {
 public:
  Watch(event_base* base, TurnClock& clock, ErrorCheck& errors, int fd, uint32_t events, Trigger trigger,
        FdHandler& handler)
      : base_(base), clock_(clock), errors_(errors), fd_(fd), trigger_(trigger), handler_(handler) {
    add(events);
  }

  void setInterest(uint32_t events) override {
    if (events == interest_) return;
    add(events);
  }
  int fd() const { return fd_; }
  void deliverError() {
    if (interest_ != 0) handler_.onFdEvents(interest_ | kBroken);
  }

 private:
  void add(uint32_t events) {
    interest_ = events;
    may_hide_errors_ = trigger_ == Trigger::kEdge && (events & kPeerClosed);
    event_.reset();
    if (events == 0) return;
    short what = EV_PERSIST;
    if (events & kReadable) what |= EV_READ;
    if (events & kWritable) what |= EV_WRITE;
    if (events & kPeerClosed) what |= EV_CLOSED;
    if (trigger_ == Trigger::kEdge) what |= EV_ET;
    event_.reset(event_new(
        base_, fd_, what, [](evutil_socket_t, short got, void* self) { static_cast<Watch*>(self)->deliver(got); },
        this));
    if (event_ == nullptr || event_add(event_.get(), nullptr) != 0) std::abort();  // out of memory
  }

  void deliver(short got);

  event_base* base_;
  TurnClock& clock_;
  ErrorCheck& errors_;
  int fd_;
  Trigger trigger_;
  FdHandler& handler_;
  uint32_t interest_ = 0;
  bool may_hide_errors_ = false;
  EventPtr event_;
};

// libevent tells an error as EV_READ|EV_WRITE and never as EV_CLOSED (findings/libevent-reset-is-not-closed.sh): just
// what the edge of new bytes looks like, and when both came together no other edge follows. To ask the socket at each
// edge would be one more system call a read; so all that had such an edge are asked at once a little later.
class ErrorCheck {
 public:
  explicit ErrorCheck(TimerQueue& timers) : timer_(timers, [this] { look(); }) {}

  void add(Watch& watch) {
    if (watch.linked()) return;
    watches_.pushBack(watch);
    if (!timer_.armed()) timer_.arm(kPause);
  }

 private:
  static constexpr std::chrono::milliseconds kPause{100};

  void look() {
    std::vector<pollfd> descriptors;
    watches_.forEach([&](Watch& watch) { descriptors.push_back({watch.fd(), 0, 0}); });
    const int failed = poll(descriptors.data(), descriptors.size(), 0);
    size_t next = 0;
    base::List<Watch> broken;
    watches_.forEach([&](Watch& watch) {
      const bool error = (descriptors[next++].revents & (POLLERR | POLLNVAL)) != 0;
      watch.unlink();
      if (failed > 0 && error) broken.pushBack(watch);
    });
    // One may end others meanwhile.
    while (!broken.empty()) {
      Watch& watch = broken.front();
      watch.unlink();
      watch.deliverError();
    }
  }

  base::List<Watch> watches_;
  Timer timer_;
};

void Watch::deliver(short got) {
  uint32_t happened = 0;
  if (got & EV_READ) happened |= kReadable;
  if (got & EV_WRITE) happened |= kWritable;
  if (got & EV_CLOSED) happened |= kPeerClosed;
  // A write that becomes possible is an edge without EV_READ: never an error.
  if (may_hide_errors_ && (happened & (kReadable | kPeerClosed)) == kReadable) errors_.add(*this);
  clock_.afterWait();
  handler_.onFdEvents(happened);
}

class LibeventLoop : public Loop {
 public:
  LibeventLoop() : base_(makeBase()), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (wake_fd_ < 0) std::abort();
    wake_.reset(event_new(
        base_.get(), wake_fd_, EV_READ | EV_PERSIST,
        [](evutil_socket_t fd, short, void* self) {
          uint64_t count;
          [[maybe_unused]] const ssize_t n = read(fd, &count, sizeof(count));
          static_cast<LibeventLoop*>(self)->runPosted();
        },
        this));
    event_add(wake_.get(), nullptr);
    // Its job is to end the wait; what is due runs before each wait and after it. libevent counts with the coarse
    // clock, so it may come some milliseconds before its time: then it is set again.
    alarm_.reset(evtimer_new(
        base_.get(),
        [](evutil_socket_t, short, void* self) { static_cast<LibeventLoop*>(self)->alarm_at_ = TimePoint::min(); },
        this));
  }

  ~LibeventLoop() override {
    dropPosted();
    endTurn();
    dropPosted();
    signals_.clear();
    alarm_.reset();
    wake_.reset();
    close(wake_fd_);
  }

  std::unique_ptr<FdWatch> watch(int fd, uint32_t events, Trigger trigger, FdHandler& handler) override {
    return std::make_unique<Watch>(base_.get(), clock_, errors_, fd, events, trigger, handler);
  }

  void onSignal(int signal, std::function<void()> on_signal) override {
    auto entry = std::make_unique<SignalEntry>();
    entry->run = [this, on_signal = std::move(on_signal)] {
      clock_.afterWait();
      on_signal();
    };
    entry->event.reset(evsignal_new(
        base_.get(), signal, [](evutil_socket_t, short, void* self) { static_cast<SignalEntry*>(self)->run(); },
        entry.get()));
    event_add(entry->event.get(), nullptr);
    signals_.push_back(std::move(entry));
  }

  void post(std::function<void()> work) override {
    bool wake;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      wake = posted_.empty();
      posted_.push_back(std::move(work));
    }
    if (wake) {
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof(one));
    }
  }

  void run() override {
    while (!stopped_.load(std::memory_order_acquire)) {
      clock_.afterWait();
      timers_.runExpired();
      endTurn();
      if (stopped_.load(std::memory_order_acquire)) break;
      setAlarm();
      clock_.beforeWait();
      event_base_loop(base_.get(), hasTurnWork() ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
    }
    endTurn();
    stopped_.store(false, std::memory_order_release);
  }

  void stop() override {
    stopped_.store(true, std::memory_order_release);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(wake_fd_, &one, sizeof(one));
  }

 private:
  struct SignalEntry {
    std::function<void()> run;
    EventPtr event;
  };

  void runPosted() {
    clock_.afterWait();
    std::vector<std::function<void()>> work;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      work.swap(posted_);
    }
    for (auto& item : work) item();
  }

  // What was posted and never ran may be about objects that are gone: it is dropped, not run. To drop it may post more.
  void dropPosted() {
    for (;;) {
      std::vector<std::function<void()>> work;
      {
        std::lock_guard<std::mutex> lock(mutex_);
        work.swap(posted_);
      }
      if (work.empty()) return;
    }
  }

  // One libevent timer for all of ours, moved only when the next deadline is earlier than it (lazy as the timers are).
  void setAlarm() {
    const TimePoint next = timers_.next();
    if (next == TimePoint::max()) return;
    if (alarm_at_ > timers_.now() && alarm_at_ <= next) return;
    alarm_at_ = next;
    const auto wait = std::max<Duration>(next - timers_.now(), std::chrono::microseconds(1));
    // Rounded up, so that a turn that begins at the alarm finds the timer due.
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(wait).count() + 1;
    const timeval tv{us / 1000000, us % 1000000};
    evtimer_add(alarm_.get(), &tv);
  }

  TurnClock clock_{timers_};
  ErrorCheck errors_{timers_};
  std::unique_ptr<event_base, BaseFree> base_;
  int wake_fd_;
  EventPtr wake_;
  EventPtr alarm_;
  TimePoint alarm_at_ = TimePoint::min();
  std::vector<std::unique_ptr<SignalEntry>> signals_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace

std::unique_ptr<Loop> makeLoop() {
  return std::make_unique<LibeventLoop>();
}

}  // namespace sluice::event
