// A worker: one thread with its own loop, connections, pools and balancers.
//
// Main talks to it by post() only; everything inside belongs to its thread.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "source/event/loop.h"
#include "source/filter/udp.h"
#include "source/listener/listener.h"
#include "source/net/connection.h"
#include "source/observability/log_file.h"
#include "source/observability/stats.h"
#include "source/router/calls.h"
#include "source/router/mirrors.h"
#include "source/session/worker.h"
#include "source/upstream/worker_cluster.h"
#include "source/worker/main_services.h"
#include "source/worker/services.h"

namespace sluice::server {

class Worker {
 public:
  // What workers are made of beside their numbers.
  struct Surroundings {
    observability::LogFiles& log_files;
    worker::LocalSlots slots = {};
    worker::WorkerServices::PostToMain post_to_main = {};
    // Takes route tables whose last user on this worker is gone; called on the worker's thread.
    std::function<void(std::shared_ptr<const route::Table>)> retire = {};
  };
  Worker(uint32_t index, observability::StatsCells& cells, uint64_t seed, Surroundings surroundings);
  ~Worker();

  void start();
  void post(std::function<void(Worker&)> work);
  // Ends the thread; what is left on the worker is closed.
  void stop();

  uint32_t index() const { return index_; }

  // Worker's thread only.
  event::Loop& loop() { return *loop_; }
  worker::WorkerServices& services() { return services_; }
  upstream::ClusterSet& clusters() { return clusters_; }
  session::RouteTables& tables() { return tables_; }
  session::ScopeIndexes& scopes() { return sessions_.scopes; }
  session::RouteDemands& routeDemands() { return sessions_.route_demands; }
  listener::WorkerListeners& listeners() { return *listeners_; }
  // Before start(). Also bounded by the clusters' circuit breakers.
  void limitUdpSessions(size_t limit) { datagrams_.sessions.limit = limit; }
  // Before start(). Descriptors from number `end` on are not for this worker; `on_refused` is told of each refusal.
  void limitDescriptors(int end, std::function<void()> on_refused) {
    buffers_.descriptors.end = end;
    buffers_.descriptors.on_refused = std::move(on_refused);
  }

 private:
  const uint32_t index_;
  std::unique_ptr<event::Loop> loop_;
  observability::LogSink log_sink_;
  net::WorkerBuffers buffers_;
  upstream::ClusterSet clusters_;
  router::ClusterCalls calls_;
  worker::WorkerServices services_;
  router::Mirrors mirrors_;  // their filters may have leases of what the worker has in services_
  filter::DatagramWorker datagrams_;
  session::RouteTables tables_;
  session::SessionWorker sessions_;
  std::unique_ptr<listener::WorkerListeners> listeners_;
  std::thread thread_;
};

// All of them.
class Workers {
 public:
  void add(std::unique_ptr<Worker> worker) { workers_.push_back(std::move(worker)); }
  size_t size() const { return workers_.size(); }
  Worker& at(size_t index) { return *workers_[index]; }
  // Runs `work` on every worker's thread; order of calls is kept on each.
  void postAll(const std::function<void(Worker&)>& work) {
    for (auto& worker : workers_) worker->post(work);
  }
  // The same, and `done` on `main` once the last of them has run it.
  void postAll(event::Loop& main, std::function<void(Worker&)> work, std::function<void()> done);
  void start();
  void stop() {
    for (auto& worker : workers_) worker->stop();
  }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace sluice::server
