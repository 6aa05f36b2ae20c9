// Call-outs of filters: HTTP requests and gRPC calls to clusters, and timers.
#pragma once

#include "source/event/loop.h"
#include "source/filter/calls.h"
#include "source/router/detached_calls.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// Thread: the worker's. Calls are answered from the loop, never inside send(). Clusters are found by name, so a call to
// a cluster that is not there fails with "no_cluster".
class ClusterCalls : public filter::Calls {
 public:
  ClusterCalls(event::Loop& loop, upstream::ClusterSet& clusters)
      : loop_(loop), clusters_(clusters), detached_(*this) {}

  std::unique_ptr<filter::GrpcCall> openGrpc(filter::GrpcCallRequest request, filter::GrpcEvents& events) override;
  std::unique_ptr<filter::Call> send(filter::HttpCallRequest request,
                                     std::function<void(filter::HttpCallResponse)> on_response) override;
  std::unique_ptr<filter::HttpStreamCall> openHttp(filter::HttpCallRequest request, bool end_stream,
                                                   filter::HttpStreamEvents& events) override;
  bool sendDetached(filter::HttpCallRequest request) override { return detached_.send(std::move(request)); }
  void count(std::string_view cluster, std::string_view name, uint64_t n) override;
  std::unique_ptr<filter::Call> after(std::chrono::milliseconds delay, std::function<void()> on_expiry) override;

 private:
  event::Loop& loop_;
  upstream::ClusterSet& clusters_;
  DetachedCalls detached_;
};

}  // namespace sluice::router
