#include "source/upstream/fail_observer.h"

#include "source/upstream/attempt.h"
#include "source/upstream/cluster/health_check_config.h"

namespace sluice::upstream {

void FailObserver::onAttemptHead(const Attempt& attempt) {
  if (!attempt.answer().get(cluster::kFailHeader)) return;
  const std::shared_ptr<cluster::HostMonitor>& monitor = attempt.host().monitorPtr();
  if (monitor->noteAskedToFail()) reports_->askedToFail(monitor);
}

}  // namespace sluice::upstream
