// Thread pools of extensions. Thread: main.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>

#include "source/config/services.h"
#include "source/worker/thread_pool.h"

namespace sluice::config {

// What may wait in a pool, in all and for one client (filter::clientHash()).
constexpr size_t kPoolMaxWaiting = 1024;
constexpr size_t kPoolMaxWaitingEach = 64;

// For work that keeps cores busy: half of them, `most` at most.
inline worker::ThreadPool::Size computingPoolSize(size_t most) {
  const size_t cores = std::thread::hardware_concurrency();
  return {std::clamp<size_t>(cores / 2, 1, most), kPoolMaxWaiting, kPoolMaxWaitingEach};
}

// It goes on main, whoever lets it go: that has to wait for what runs.
inline std::shared_ptr<worker::ThreadPool> makeThreadPool(worker::ThreadPool::Size size, const Services& services) {
  auto pool = std::make_shared<worker::ThreadPool>(size);
  if (services.main == nullptr) return pool;
  worker::ThreadPool* const made = pool.get();
  return {made, [pool = std::move(pool), &main = services.main->loop](worker::ThreadPool*) mutable {
            main.post([pool = std::move(pool)] {});
          }};
}

}  // namespace sluice::config
