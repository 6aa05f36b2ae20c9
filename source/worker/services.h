// What a worker has for everything that runs on it: filters, terminals, access loggers, tracers, and the objects that
// those keep for the worker.
//
// What a higher layer adds to a worker (its clusters, its sessions) is a part: found by its type, so that nobody below
// has to know of it. Thread: the worker's, unless it says otherwise; everything outlives the worker's connections.
#pragma once

#include <cassert>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "source/base/random.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/worker/calls.h"
#include "source/worker/local.h"

namespace sluice::worker {

class WorkerServices {
 public:
  // Runs work on main.
  using PostToMain = std::function<void(std::function<void()> work)>;

  // What it is made of; all of it outlives it.
  struct Setup {
    event::Loop& loop;
    net::WorkerBuffers& buffers;
    observability::StatsCells& cells;
    observability::LogSink& log_sink;
    Calls& calls;
    uint64_t seed = 1;
    uint32_t index = 0;
    LocalSlots slots = {};
    PostToMain post_to_main = {};  // empty: there is no main to post to
  };
  explicit WorkerServices(Setup setup)
      : loop(setup.loop),
        buffers(setup.buffers),
        cells(setup.cells),
        log_sink(setup.log_sink),
        calls(setup.calls),
        random(setup.seed),
        next_connection_id(static_cast<uint64_t>(setup.index) << 48),
        index(setup.index),
        post_to_main_(std::move(setup.post_to_main)),
        member_(setup.slots, locals_, [this](std::function<void()> work) { loop.post(std::move(work)); }) {}
  WorkerServices(const WorkerServices&) = delete;
  WorkerServices& operator=(const WorkerServices&) = delete;

  event::Loop& loop;
  net::WorkerBuffers& buffers;
  observability::StatsCells& cells;
  observability::LogSink& log_sink;
  Calls& calls;
  base::Random random;  // for decisions by chance, not for secrets
  uint64_t next_connection_id;
  const uint32_t index;  // of the worker

  // What WorkerLocals have here.
  Locals& locals() { return locals_; }

  // Any thread. Dropped if there is no main any more.
  void postToMain(std::function<void()> work) const {
    if (post_to_main_) post_to_main_(std::move(work));
  }

  // While the worker is made. `part` outlives the worker's connections.
  template <typename Part>
  void add(Part& part) {
    parts_.emplace_back(&kKey<Part>, &part);
  }
  // Null where the worker has no such part: the one of the admin server proxies nothing.
  template <typename Part>
  Part* find() const {
    for (const auto& [key, part] : parts_) {
      if (key == &kKey<Part>) return static_cast<Part*>(part);
    }
    return nullptr;
  }
  template <typename Part>
  Part& part() const {
    Part* found = find<Part>();
    assert(found != nullptr);
    return *found;
  }

 private:
  template <typename Part>
  static inline const char kKey = 0;  // its address tells parts apart

  const PostToMain post_to_main_;
  std::vector<std::pair<const void*, void*>> parts_;
  Locals locals_;
  LocalSlots::Member member_;
};

}  // namespace sluice::worker
