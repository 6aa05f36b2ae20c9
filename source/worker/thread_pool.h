// A few threads for work that takes too long for a loop, such as slow hashes.
//
// What waits is taken in turn from those on whose behalf it waits, from each the oldest first: who brings much waits
// for himself. It is bounded, in all and for each of them: who is refused answers so at once. Threads begin with the
// first work. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "source/event/loop.h"

namespace sluice::worker {

class ThreadPool {
  struct Job;
  struct State;

 public:
  // Work that was given; destruction cancels: on_done is not called any more, and work that has not begun is not done.
  // On the thread of its loop, which outlives it.
  class Task {
   public:
    Task(std::shared_ptr<State> state, std::shared_ptr<Job> job) : state_(std::move(state)), job_(std::move(job)) {}
    ~Task();
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

   private:
    const std::shared_ptr<State> state_;
    const std::shared_ptr<Job> job_;
  };

  struct Size {
    size_t threads;  // 0 (for tests): work is done by runOne() only
    size_t max_waiting;
    size_t max_waiting_each;  // on behalf of one
  };
  explicit ThreadPool(Size size);
  // Waits for what runs. What waits is not done.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Does `work` on one of the threads, then on_done on the loop's, which calls this. `work` owns what it uses: it may
  // go on behind the end of the task. `whose`: a hash of on whose behalf, which strangers cannot choose. Null: too much
  // waits.
  std::unique_ptr<Task> run(event::Loop& loop, uint64_t whose, std::function<void()> work,
                            std::function<void()> on_done);

  size_t waiting() const;
  // Does the work whose turn it is on the caller's thread.
  void runOne();

 private:
  void serve();

  const Size size_;
  const std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::worker
