// A stream of bytes to a host that is to end when its host fails. (proto:
// Cluster.close_connections_on_host_health_failure) Thread: the worker's.
#pragma once

#include "source/base/intrusive_list.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream {

// In the list of its cluster (WorkerCluster::bind) until it is destroyed or unlinked.
class HostBound : public base::ListNode {
 public:
  virtual const cluster::Host& boundTo() const = 0;
  // From the loop. May destroy the stream, and others.
  virtual void hostFailed() = 0;

 protected:
  ~HostBound() = default;
};

}  // namespace sluice::upstream
