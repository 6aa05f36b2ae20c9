// Hosts that ask, in their answers to requests, to count as failed: a host that is about to go says so to all who come,
// before the next check finds out. In clusters with active checks, which let it in again. Thread: the worker's.
#pragma once

#include <memory>
#include <utility>

#include "source/upstream/attempt_observer.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream {

// Main's end. Called on workers.
class FailReports {
 public:
  virtual ~FailReports() = default;
  virtual void askedToFail(const std::shared_ptr<cluster::HostMonitor>& host) = 0;
};

class FailObserver final : public AttemptObserver {
 public:
  explicit FailObserver(std::shared_ptr<FailReports> reports) : reports_(std::move(reports)) {}

  void onAttemptBegin(const Attempt&) override {}
  // Tells once until the host is let in again, however many of its answers say so.
  void onAttemptHead(const Attempt& attempt) override;
  void onAttemptEnd(const Attempt&, const AttemptEnd&) override {}

 private:
  const std::shared_ptr<FailReports> reports_;
};

}  // namespace sluice::upstream
