// Objects of which each worker has one of its own: a cache, a script machine, a client that batches.
//
//   const worker::WorkerLocal<Cache> cache_;    // in a filter's factory, which all workers share; made on main
//   Cache& cache = cache_.get(worker);          // in a filter: this worker's, made when it is asked for first
//
// An object is destroyed on its worker, in a turn of its own, once its WorkerLocal is gone, or with the worker. It
// needs no lock, and may hold what belongs to the worker: call-outs, timers, connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace sluice::worker {

class WorkerServices;
struct LocalState;

// One worker's objects, by the number of their WorkerLocal. Thread: the worker's.
class Locals {
 public:
  // Null: not made so far.
  void* find(uint32_t index) const { return index < objects_.size() ? objects_[index].get() : nullptr; }
  void put(uint32_t index, std::shared_ptr<void> object) {
    if (index >= objects_.size()) objects_.resize(index + 1);
    objects_[index] = std::move(object);
  }
  void drop(uint32_t index) {
    // Its destructor may look for others.
    if (index < objects_.size()) std::exchange(objects_[index], nullptr).reset();
  }

 private:
  std::vector<std::shared_ptr<void>> objects_;
};

// Gives WorkerLocals their numbers, and knows the workers. A handle: copies are the same. Any thread.
class LocalSlots {
 public:
  // Runs `work` on a worker's thread; destroys it unrun if the worker ends first.
  using Post = std::function<void(std::function<void()> work)>;

  // A worker: told what to drop for as long as this lives.
  class Member {
   public:
    Member(const LocalSlots& slots, Locals& locals, Post post);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   private:
    friend class LocalSlots;
    const std::shared_ptr<LocalState> state_;
    Locals& locals_;
    const Post post_;
  };

  LocalSlots();

  uint32_t take() const;
  // No number's object is asked for any more. It is given to another one when all workers have dropped theirs.
  void release(uint32_t index) const;

 private:
  std::shared_ptr<LocalState> state_;
};

template <typename T>
class WorkerLocal {
 public:
  // Called on each worker that asks.
  using Make = std::function<std::unique_ptr<T>(WorkerServices& worker)>;

  WorkerLocal(LocalSlots slots, Make make) : slots_(std::move(slots)), make_(std::move(make)), index_(slots_.take()) {}
  ~WorkerLocal() { slots_.release(index_); }
  WorkerLocal(const WorkerLocal&) = delete;
  WorkerLocal& operator=(const WorkerLocal&) = delete;

  // Stays valid while this lives, and until the end of the turn in which it goes. `worker`: WorkerServices.
  template <typename Worker>
  T& get(Worker& worker) const {
    if (void* known = worker.locals().find(index_)) [[likely]]
      return *static_cast<T*>(known);
    std::shared_ptr<T> made = make_(worker);
    T& object = *made;
    worker.locals().put(index_, std::move(made));
    return object;
  }

 private:
  const LocalSlots slots_;
  const Make make_;
  const uint32_t index_;
};

}  // namespace sluice::worker
