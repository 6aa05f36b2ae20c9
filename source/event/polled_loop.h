// Virtual time over real descriptors, for tests: nothing runs but inside turn(), pass() and until(), on the caller's
// thread. Watches are epoll's own, so edges are what they are in production.
#pragma once

#include <unistd.h>

#include "source/event/epoll_events.h"
#include "source/event/simulated_loop.h"

namespace sluice::event {

class PolledLoop : public SimulatedLoop {
 public:
  PolledLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  ~PolledLoop() override {
    endTurn();
    close(epoll_);
  }

  std::unique_ptr<FdWatch> watch(int fd, uint32_t events, Trigger trigger, FdHandler& handler) override {
    return std::make_unique<Watch>(epoll_, fd, events, trigger, handler);
  }

  // Runs until nothing is left to do at the present time. Waits at most `wait_ms` of real time for a first event.
  void turn(int wait_ms = 0) {
    for (int i = 0; i < 100000; ++i) {
      settle();
      epoll_event event;
      // One at a time: what it causes may end the watch of the next.
      if (epoll_wait(epoll_, &event, 1, wait_ms) <= 0) return;
      wait_ms = 0;
      static_cast<Watch*>(event.data.ptr)->deliver(event.events);
    }
  }
  // Moves time on by `by`, stopping at every deadline on the way.
  void pass(Duration by) {
    const TimePoint target = now() + by;
    turn();
    while (timers_.next() <= target) {
      timers_.setNow(std::max(now(), timers_.next()));
      turn();
    }
    timers_.setNow(target);
    turn();
  }
  // Turns until `done()`, at most some seconds of real time: for what the kernel does in its own time.
  template <typename Done>
  bool until(Done done) {
    for (int i = 0; i < 500; ++i) {
      turn();
      if (done()) return true;
      turn(10);
    }
    return done();
  }

 private:
  class Watch : public FdWatch {
   public:
    Watch(int epoll, int fd, uint32_t events, Trigger trigger, FdHandler& handler)
        : epoll_(epoll), fd_(fd), trigger_(trigger), handler_(handler) {
      control(EPOLL_CTL_ADD, events);
    }
    ~Watch() override { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_, nullptr); }
    void setInterest(uint32_t events) override { control(EPOLL_CTL_MOD, events); }
    void deliver(uint32_t got) { handler_.onFdEvents(happenedOn(got)); }

   private:
    void control(int operation, uint32_t events) {
      epoll_event event{};
      event.events = epollInterest(events, trigger_);
      event.data.ptr = this;
      epoll_ctl(epoll_, operation, fd_, &event);
    }
    int epoll_;
    int fd_;
    Trigger trigger_;
    FdHandler& handler_;
  };

  int epoll_;
};

}  // namespace sluice::event
