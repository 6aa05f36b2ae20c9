// An event loop: descriptors, timers, work posted from other threads, and work kept for the end of the turn.
//
// One thread owns a loop and everything made from it; only post() and stop() may be called from elsewhere. This folder
// is the only user of libevent. Simulations use SimulatedLoop (virtual time, no descriptors).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "source/base/intrusive_list.h"
#include "source/event/timer.h"

namespace sluice::event {

// What happened on a descriptor, and what to watch for.
enum : uint32_t {
  kReadable = 1,
  kWritable = 2,
  kPeerClosed = 4,  // the peer shut down its sending side, or the connection broke
  // The descriptor has an error (a reset): told unasked, with all that is watched for, to edge-triggered watches for
  // kPeerClosed. It may come 100 ms behind the edge, which looks as if there were bytes only.
  kBroken = 8,
};

class FdHandler {
 public:
  virtual ~FdHandler() = default;
  virtual void onFdEvents(uint32_t events) = 0;
};

// A registration; destruction ends it. The handler is not called after that.
class FdWatch {
 public:
  virtual ~FdWatch() = default;
  // Level-triggered watches only: what to watch for from now on.
  virtual void setInterest(uint32_t events) = 0;
};

enum class Trigger : uint8_t {
  kEdge,   // registered once for everything, tells changes only
  kLevel,  // tells as long as the condition holds
};

// Work for the end of the present turn of the loop (flush writes, go on reading). Scheduling twice is scheduling once;
// destruction takes it back.
class TurnTask : public base::ListNode {
 public:
  virtual ~TurnTask() = default;
  virtual void runAtTurnEnd() = 0;
};

// What may not be destroyed while its own callback runs: handed to Loop::deleteLater.
class Deferred {
 public:
  virtual ~Deferred() = default;
};

class Loop {
 public:
  virtual ~Loop() = default;

  // The time at which this turn began.
  TimePoint now() const { return timers_.now(); }
  TimerQueue& timers() { return timers_; }

  // A watch on a descriptor that stays open at least as long; one at a time for each descriptor.
  virtual std::unique_ptr<FdWatch> watch(int fd, uint32_t events, Trigger trigger, FdHandler& handler) = 0;
  // Calls `on_signal` on this loop's thread when the process gets `signal`, for as long as the loop lives.
  virtual void onSignal(int signal, std::function<void()> on_signal) = 0;

  // Any thread: runs `work` on the loop's thread. Work posted by one thread keeps its order. Never runs it inline. What
  // has not run when the loop is destroyed is dropped.
  virtual void post(std::function<void()> work) = 0;

  // This thread only. Turn tasks run after the events of the turn, those that they schedule too (bounded: the rest runs
  // in the next turn, which then does not wait).
  void atTurnEnd(TurnTask& task) {
    if (!task.linked()) turn_tasks_.pushBack(task);
  }
  // Destroyed after the turn's tasks.
  void deleteLater(std::unique_ptr<Deferred> object) { trash_.push_back(std::move(object)); }

  virtual void run() = 0;
  // Any thread: run() returns after the present turn.
  virtual void stop() = 0;

 protected:
  void endTurn();
  bool hasTurnWork() const { return !turn_tasks_.empty() || !trash_.empty(); }

  TimerQueue timers_;
  base::List<TurnTask> turn_tasks_;
  std::vector<std::unique_ptr<Deferred>> trash_;
};

// The real one, over libevent. Aborts only if the kernel gives no epoll descriptor.
std::unique_ptr<Loop> makeLoop();

}  // namespace sluice::event
