#include "source/server/worker.h"

#include <atomic>
#include <csignal>

namespace sluice::server {

Worker::Worker(uint32_t index, observability::StatsCells& cells, uint64_t seed, Surroundings surroundings)
    : index_(index),
      loop_(event::makeLoop()),
      log_sink_(surroundings.log_files),
      clusters_(*loop_, buffers_, cells, seed),
      calls_(*loop_, clusters_),
      services_({.loop = *loop_,
                 .buffers = buffers_,
                 .cells = cells,
                 .log_sink = log_sink_,
                 .calls = calls_,
                 .seed = seed ^ 0x5DEECE66D,
                 .index = index,
                 .slots = std::move(surroundings.slots),
                 .post_to_main = std::move(surroundings.post_to_main)}),
      mirrors_(*loop_, clusters_),
      tables_(std::move(surroundings.retire)),
      sessions_(services_, tables_),
      listeners_(std::make_unique<listener::WorkerListeners>(services_)) {
  services_.add(clusters_);
  services_.add(mirrors_);
  services_.add(datagrams_);
  services_.add(sessions_);
  buffers_.cells = &cells;
  buffers_.internal_listeners = listeners_.get();
}

Worker::~Worker() {
  stop();
}

void Worker::start() {
  thread_ = std::thread([this] {
    sigset_t all;  // signals are main's
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    pthread_setname_np(pthread_self(), ("worker_" + std::to_string(index_)).c_str());
    loop_->run();
  });
}

void Worker::post(std::function<void(Worker&)> work) {
  loop_->post([this, work = std::move(work)] { work(*this); });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_->post([this] {
    listeners_->closeAll();
    loop_->stop();
  });
  thread_.join();
}

void Workers::start() {
  for (size_t i = 0; workers_.size() > 1 && i < workers_.size(); ++i) {
    Worker& next = *workers_[(i + 1) % workers_.size()];
    workers_[i]->clusters().joinRing([&next](std::function<void(upstream::ClusterSet&)> work) {
      next.post([work = std::move(work)](Worker& self) { work(self.clusters()); });
    });
  }
  for (auto& worker : workers_) worker->start();
}

void Workers::postAll(event::Loop& main, std::function<void(Worker&)> work, std::function<void()> done) {
  auto left = std::make_shared<std::atomic<size_t>>(workers_.size());
  for (auto& worker : workers_) {
    worker->post([&main, work, done, left](Worker& self) {
      work(self);
      if (left->fetch_sub(1) == 1) main.post(done);
    });
  }
}

}  // namespace sluice::server
