// A value that main exchanges while workers use it: a secret's text, a filter's configuration.
//
//   const std::shared_ptr<const worker::Exchanged<std::string>> text_;   // made on main, which calls set()
//   const std::shared_ptr<const std::string>& text = text_->get(worker); // in a filter; null: there is none
//
// Each worker keeps the value that it has seen last; asking costs it a load, and a lock only after an exchange.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "source/worker/local.h"

namespace sluice::worker {

template <typename T>
class Exchanged {
 public:
  using Ptr = std::shared_ptr<const T>;

  explicit Exchanged(LocalSlots slots, Ptr first = nullptr)
      : current_(std::move(first)),
        copies_(std::move(slots), [](WorkerServices&) { return std::make_unique<Copy>(); }) {}
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;

  // Any thread.
  void set(Ptr next) {
    const std::lock_guard lock(mutex_);
    current_.swap(next);
    version_.fetch_add(1, std::memory_order_release);
  }  // the old one, if nothing else holds it, is freed after the lock

  // As it stands now. Stays valid until this worker asks again: who keeps it for longer copies it.
  template <typename Worker>
  const Ptr& get(Worker& worker) const {
    Copy& copy = copies_.get(worker);
    if (copy.version != version_.load(std::memory_order_acquire)) update(copy);
    return copy.value;
  }

 private:
  struct Copy {
    uint64_t version = 0;
    Ptr value;
  };

  void update(Copy& copy) const {
    Ptr before = std::move(copy.value);  // freed after the lock, too
    const std::lock_guard lock(mutex_);
    copy.value = current_;
    copy.version = version_.load(std::memory_order_relaxed);
  }

  mutable std::mutex mutex_;
  Ptr current_;
  std::atomic<uint64_t> version_{1};
  const WorkerLocal<Copy> copies_;
};

}  // namespace sluice::worker
