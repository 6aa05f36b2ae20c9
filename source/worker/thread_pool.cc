#include "source/worker/thread_pool.h"

#include <pthread.h>

#include <csignal>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sluice::worker {

struct ThreadPool::Job {
  std::function<void()> work;
  std::function<void()> on_done;  // the loop's thread only
  event::Loop* loop;              // null: cancelled
  uint64_t whose;
};

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable changed;
  absl::flat_hash_map<uint64_t, std::deque<std::shared_ptr<Job>>> waiting;  // by whose it is; no queue is empty
  std::deque<uint64_t> turns;                                               // each of `waiting` once
  size_t waiting_count = 0;
  bool ended = false;

  // The lock is held for these. False: it would be too much.
  bool add(const std::shared_ptr<Job>& job, const Size& size) {
    if (waiting_count >= size.max_waiting) return false;
    auto& jobs = waiting[job->whose];
    if (!jobs.empty() && jobs.size() >= size.max_waiting_each) return false;
    if (jobs.empty()) turns.push_back(job->whose);
    jobs.push_back(job);
    ++waiting_count;
    return true;
  }
  std::shared_ptr<Job> take() {
    const uint64_t whose = turns.front();
    turns.pop_front();
    const auto found = waiting.find(whose);
    std::shared_ptr<Job> job = std::move(found->second.front());
    found->second.pop_front();
    --waiting_count;
    if (found->second.empty()) {
      waiting.erase(found);
    } else {
      turns.push_back(whose);
    }
    return job;
  }
  void remove(const std::shared_ptr<Job>& job) {
    const auto found = waiting.find(job->whose);
    if (found == waiting.end()) return;
    waiting_count -= std::erase(found->second, job);
    if (!found->second.empty()) return;
    std::erase(turns, job->whose);
    waiting.erase(found);
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
  state_->remove(job_);
}

ThreadPool::ThreadPool(Size size) : size_(size), state_(std::make_shared<State>()) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<ThreadPool::Task> ThreadPool::run(event::Loop& loop, uint64_t whose, std::function<void()> work,
                                                  std::function<void()> on_done) {
  auto job = std::make_shared<Job>(Job{std::move(work), std::move(on_done), &loop, whose});
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->add(job, size_)) return nullptr;
    while (threads_.size() < size_.threads) threads_.emplace_back([this] { serve(); });
  }
  state_->changed.notify_one();
  return std::make_unique<Task>(state_, std::move(job));
}

size_t ThreadPool::waiting() const {
  const std::lock_guard lock(state_->mutex);
  return state_->waiting_count;
}

void ThreadPool::runOne() {
  std::unique_lock lock(state_->mutex);
  if (state_->turns.empty()) return;
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
    state_->changed.wait(lock, [this] { return state_->ended || !state_->turns.empty(); });
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
