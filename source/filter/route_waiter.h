// Who waits for routes that have been asked for, or for the cluster of one. Thread: the worker's.
#pragma once

#include "source/base/intrusive_list.h"

namespace sluice::filter {

// It waits no longer once it is destroyed or unlinked.
class RouteWaiter : public base::ListNode {
 public:
  virtual ~RouteWaiter() = default;
  // They have come, or will not; Context::rematchRoute() finds them. So has the cluster. Once, never inside
  // Context::awaitRoutes() or awaitCluster(). May destroy this.
  virtual void onRoutes() = 0;
};

}  // namespace sluice::filter
