// A cluster that stands for others. It has no hosts: a worker takes one of the members before it asks for a host.
// (proto: envoy.extensions.clusters.aggregate.v3.ClusterConfig)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "source/upstream/cluster/host_source.h"
#include "source/upstream/lb/policy.h"

namespace sluice::extensions::clusters::aggregate {

// Chooses no host, as nobody asks.
class Policy final : public upstream::lb::LbPolicy {
 public:
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;
};

class Kind final : public upstream::cluster::ClusterKind {
 public:
  // `members`: ids of route::ClusterNames, at least one.
  explicit Kind(std::vector<uint32_t> members) : members_(std::move(members)) {}

  std::shared_ptr<const upstream::lb::LbPolicy> policy() const override { return policy_; }
  std::span<const uint32_t> members() const override { return members_; }

 private:
  const std::vector<uint32_t> members_;
  const std::shared_ptr<const Policy> policy_ = std::make_shared<const Policy>();
};

}  // namespace sluice::extensions::clusters::aggregate
