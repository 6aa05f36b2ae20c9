// What main has for extensions that work there: fetching keys, reporting load, keeping a shared table fresh.
//
// Clusters live on workers only, so the call-outs of main are made by one of them and answered on main: two posts a
// call, for work that is not on the way of requests. Thread: main, except post(). A handle of its calls that outlives
// it may only be destroyed: what goes by post may still wait in the loop then.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "source/event/loop.h"
#include "source/observability/stats.h"
#include "source/worker/calls.h"
#include "source/worker/services.h"

namespace sluice::worker {

class MainCalls;

class MainServices {
 public:
  // Runs work on the thread of the worker that serves main.
  using PostToWorker = std::function<void(std::function<void(WorkerServices&)> work)>;

  // `slots`: those of the worker.
  MainServices(event::Loop& loop, observability::StatsCells& cells, const LocalSlots& slots,
               PostToWorker post_to_worker);
  ~MainServices();
  MainServices(const MainServices&) = delete;
  MainServices& operator=(const MainServices&) = delete;

  event::Loop& loop;
  observability::StatsCells& cells;

  // Answered on main, from its loop; a handle that is destroyed cancels.
  Calls& calls();
  // Any thread.
  void post(std::function<void()> work) { loop.post(std::move(work)); }
  // For what belongs to a worker; it posts back what main is to know (WorkerServices::postToMain).
  void postToWorker(std::function<void(WorkerServices&)> work) { post_to_worker_(std::move(work)); }

 private:
  const PostToWorker post_to_worker_;
  const std::shared_ptr<MainCalls> calls_;
};

}  // namespace sluice::worker
