// A host of a cluster that is taken for one call-out, and its count of active requests.
#pragma once

#include <optional>
#include <string_view>

#include "source/observability/stats.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// Thread: the worker's. Given back when destroyed.
class Lease {
 public:
  explicit Lease(observability::StatsCells& cells) : cells_(cells) {}
  ~Lease() { release(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  void setCluster(base::LocalPtr<upstream::WorkerCluster> cluster) { cluster_ = std::move(cluster); }
  const base::LocalPtr<upstream::WorkerCluster>& cluster() const { return cluster_; }

  // What requests to it say.
  std::string_view scheme() const {
    const net::TransportFactory* transport = cluster_ ? cluster_->config().transport.get() : nullptr;
    return transport != nullptr && transport->isTls() ? "https" : "http";
  }
  // Why no host can be had ("no_cluster", "no_healthy_upstream"); empty: pool() is there.
  std::string_view take(const http::RequestHeaders& headers);
  void release();
  upstream::pool::Pool& pool() { return *pool_; }

 private:
  observability::StatsCells& cells_;
  base::LocalPtr<upstream::WorkerCluster> cluster_;
  upstream::pool::Pool* pool_ = nullptr;
  const upstream::cluster::Host* host_ = nullptr;
};

}  // namespace sluice::router
