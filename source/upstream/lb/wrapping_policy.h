// The base of policies that leave it to another one to choose and say only something about what it is given: that one's
// tables, pickers and wishes are theirs, unless they say otherwise.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "source/upstream/lb/policy.h"

namespace sluice::upstream::lb {

class WrappingPolicy : public LbPolicy {
 public:
  // Never null.
  explicit WrappingPolicy(std::shared_ptr<const LbPolicy> inner) : inner_(std::move(inner)) {}

  std::shared_ptr<const LbTables> build(const cluster::HostSet& hosts) const override { return inner_->build(hosts); }
  std::unique_ptr<LbPicker> makePicker(LbWorker& worker) const override { return inner_->makePicker(worker); }
  bool localityWeighted() const override { return inner_->localityWeighted(); }
  bool failsOnPanic() const override { return inner_->failsOnPanic(); }
  std::optional<cluster::ZoneAware> zoneAware() const override { return inner_->zoneAware(); }
  const LoadWeights* loadWeights() const override { return inner_->loadWeights(); }

  const LbPolicy& inner() const { return *inner_; }

 private:
  const std::shared_ptr<const LbPolicy> inner_;
};

}  // namespace sluice::upstream::lb
