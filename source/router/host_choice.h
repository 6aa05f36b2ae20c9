// The choice of a host for a request: the one place where the router and call-outs ask a cluster's balancer.
#pragma once

#include "source/filter/stream.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// The cluster that the route of the stream leads to, or that a filter chose; null: there is none.
base::LocalPtr<upstream::WorkerCluster> findCluster(upstream::ClusterSet& clusters, const filter::Stream& stream);

// Which hosts a retry would rather not go to.
class HostRefusals {
 public:
  virtual ~HostRefusals() = default;
  // How many attempts were made before.
  virtual uint32_t attempts() const = 0;
  // How often another one is asked for.
  virtual uint32_t repicks() const = 0;
  virtual bool refuses(const upstream::cluster::Host& host) const = 0;
  // Priorities that it would rather not go to; null: none.
  virtual const base::PrioritySet* passedOver() const = 0;
};

// kNoHost: there is none. `stream`: whose request it is; null: a call-out's, which came from nowhere. `refusals`: of a
// retry, which goes where the policy says unless a filter wants one host only; null: any host will do, and it is the
// first attempt.
// Where the choice goes by a cookie that the client does not have yet, the stream is left one for its response.
upstream::cluster::HostSlot pickHost(upstream::WorkerCluster& cluster, const http::RequestHeaders& request,
                                     filter::Stream* stream, const HostRefusals* refusals = nullptr);

// What the stream tells of the host that it goes to. Copied: the log entry is written after the host may have left its
// cluster.
void describeHost(filter::Stream& stream, const upstream::cluster::ClusterConfig& cluster,
                  const upstream::cluster::Host& host);

}  // namespace sluice::router
