// A worker for tests, without a thread: virtual time over real descriptors, and call-outs that go nowhere.
#pragma once

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/worker/services.h"

namespace sluice::worker::testing {

// What a worker is made of.
struct WorkerParts {
  // `calls`: what is asked of the world.
  WorkerServices::Setup setup(Calls& calls) {
    return {.loop = loop, .buffers = buffers, .cells = cells, .log_sink = log_sink, .calls = calls};
  }
  // A counter's or gauge's value; -1: there is none.
  int64_t stat(std::string_view name) const { return registry.valueOf(name).value_or(-1); }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  observability::StatsRegistry registry;
  observability::StatsCells& cells = registry.makeCells();
  observability::LogFiles log_files{registry};
  observability::LogSink log_sink{log_files};
  NoCalls no_calls;
};

struct TestWorker : WorkerParts {
  // `calls`: what is asked of the world; null: nobody answers. `index`: of the worker.
  explicit TestWorker(Calls* calls = nullptr, LocalSlots slots = {}, uint32_t index = 0)
      : services({.loop = loop,
                  .buffers = buffers,
                  .cells = cells,
                  .log_sink = log_sink,
                  .calls = calls == nullptr ? no_calls : *calls,
                  .index = index,
                  .slots = std::move(slots),
                  .post_to_main = [this](std::function<void()> work) { to_main.push_back(std::move(work)); }}) {}
  operator WorkerServices&() { return services; }
  // Does what was posted to main so far.
  void runMain() {
    for (const auto& work : std::exchange(to_main, {})) work();
  }

  std::vector<std::function<void()>> to_main;
  WorkerServices services;
};

}  // namespace sluice::worker::testing
