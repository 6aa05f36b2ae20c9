// A few threads for work that takes too long for a loop, such as slow hashes.
//
// Threads begin with the first work. What waits is bounded: who is refused answers so at once. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <list>
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

  // Without threads (for tests) work is done by runOne() only.
  ThreadPool(size_t threads, size_t max_waiting);
  // Waits for what runs. What waits is not done.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Does `work` on one of the threads, then on_done on the loop's, which calls this. `work` owns what it uses: it may
  // go on behind the end of the task. Null: too much waits.
  std::unique_ptr<Task> run(event::Loop& loop, std::function<void()> work, std::function<void()> on_done);

  size_t waiting() const;
  // Does the work that has waited longest on the caller's thread.
  void runOne();

 private:
  void serve();

  const size_t threads_wanted_;
  const size_t max_waiting_;
  const std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace sluice::worker
