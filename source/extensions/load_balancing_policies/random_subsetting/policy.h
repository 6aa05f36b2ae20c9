// Some of the hosts, among which another policy chooses: those of each priority that stand first in an order by a hash
// of their addresses. Another set of hosts changes as many members of the subset as hosts came or left, at most;
// whether hosts are healthy does not matter. (https://github.com/grpc/proposal/blob/master/A68-random-subsetting.md)
#pragma once

#include <cstdint>
#include <memory>

#include "source/upstream/lb/wrapping_policy.h"

namespace sluice::extensions::load_balancing_policies::random_subsetting {

// Of the hash; every process draws its own, and keeps it through all generations of its configuration.
struct Seed {
  Seed();
  explicit Seed(uint64_t value) : value(value) {}
  uint64_t value;
};

class Policy final : public upstream::lb::WrappingPolicy {
 public:
  // `size`: hosts of each priority, 1 or more.
  Policy(std::shared_ptr<const upstream::lb::LbPolicy> inner, uint32_t size, std::shared_ptr<const Seed> seed)
      : WrappingPolicy(std::move(inner)), size_(size), seed_(std::move(seed)) {}

  std::shared_ptr<const upstream::lb::LbTables> build(const upstream::cluster::HostSet& hosts) const override;
  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;

 private:
  const uint32_t size_;
  const std::shared_ptr<const Seed> seed_;
};

}  // namespace sluice::extensions::load_balancing_policies::random_subsetting
