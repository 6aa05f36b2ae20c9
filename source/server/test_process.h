// A process with real workers, for tests of what main holds.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "source/server/worker.h"

namespace sluice::server {

struct Process {
  explicit Process(uint32_t count = 1) {
    for (uint32_t i = 0; i < count; ++i) {
      workers.add(std::make_unique<Worker>(i, stats.makeCells(), i, Worker::Surroundings{.log_files = log_files}));
    }
    workers.start();
  }
  ~Process() { workers.stop(); }
  // Until the workers have done what was posted, and main what they posted back.
  void sync() {
    workers.postAll(
        *main, [](Worker&) {}, [this] { main->stop(); });
    main->run();
  }
  template <typename T>
  T onWorker(std::function<T(Worker&)> look, uint32_t index = 0) {
    T out{};
    workers.postAll(
        *main,
        [&](Worker& worker) {
          if (worker.index() == index) out = look(worker);
        },
        [this] { main->stop(); });
    main->run();
    return out;
  }
  void runFor(std::chrono::milliseconds time) {
    event::Timer end(main->timers(), [this] { main->stop(); });
    end.arm(time);
    main->run();
  }

  std::unique_ptr<event::Loop> main = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  observability::LogFiles log_files{stats};
  observability::Logger logger{observability::LogLevel::kOff};
  Workers workers;
};

}  // namespace sluice::server
