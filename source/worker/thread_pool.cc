#include "source/worker/thread_pool.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace sluice::worker {

struct ThreadPool::Job {
  std::function<void()> work;
  std::function<void()> on_done;  // the loop's thread only
  event::Loop* loop;              // null: cancelled
};

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::shared_ptr<Job>> waiting;
  bool ended = false;

  // Takes the oldest; `lock` is held.
  std::shared_ptr<Job> take() {
    std::shared_ptr<Job> job = std::move(waiting.front());
    waiting.pop_front();
    return job;
  }
  // Without the lock.
  void perform(const std::shared_ptr<Job>& job) {
    job->work();
    job->work = nullptr;
    const std::lock_guard lock(mutex);
    if (job->loop == nullptr) return;
    job->loop->post([job] {
      if (const auto on_done = std::exchange(job->on_done, nullptr)) on_done();
    });
  }
};

ThreadPool::Task::~Task() {
  job_->on_done = nullptr;
  const std::lock_guard lock(state_->mutex);
  job_->loop = nullptr;
  state_->waiting.remove(job_);
}

ThreadPool::ThreadPool(size_t threads, size_t max_waiting)
    : threads_wanted_(threads), max_waiting_(max_waiting), state_(std::make_shared<State>()) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<ThreadPool::Task> ThreadPool::run(event::Loop& loop, std::function<void()> work,
                                                  std::function<void()> on_done) {
  auto job = std::make_shared<Job>(Job{std::move(work), std::move(on_done), &loop});
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->waiting.size() >= max_waiting_) return nullptr;
    state_->waiting.push_back(job);
    while (threads_.size() < threads_wanted_) threads_.emplace_back([this] { serve(); });
  }
  state_->changed.notify_one();
  return std::make_unique<Task>(state_, std::move(job));
}

size_t ThreadPool::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting.size();
}

void ThreadPool::runOne() {
  std::unique_lock lock(state_->mutex);
  if (state_->waiting.empty()) return;
  const std::shared_ptr<Job> job = state_->take();
  lock.unlock();
  state_->perform(job);
}

void ThreadPool::serve() {
  sigset_t all;  // signals are main's
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "pool");
  std::unique_lock lock(state_->mutex);
  while (true) {
    state_->changed.wait(lock, [this] { return state_->ended || !state_->waiting.empty(); });
    if (state_->ended) return;
    {
      const std::shared_ptr<Job> job = state_->take();
      lock.unlock();
      state_->perform(job);
    }
    lock.lock();
  }
}

}  // namespace sluice::worker
