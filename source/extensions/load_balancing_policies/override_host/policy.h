// The host that the request names; where it names none, another policy's choice. Only hosts of the cluster that may get
// requests are ever taken. (proto: OverrideHost)
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/upstream/lb/wrapping_policy.h"

namespace sluice::extensions::load_balancing_policies::override_host {

// Where a request names hosts.
struct Source {
  std::string header = {};  // in lower case; empty: in dynamic metadata
  std::string filter = {};
  std::vector<std::string> path = {};
};

class Policy final : public upstream::lb::WrappingPolicy {
 public:
  Policy(std::vector<Source> sources, std::shared_ptr<const upstream::lb::LbPolicy> fallback)
      : WrappingPolicy(std::move(fallback)), sources_(std::move(sources)) {}

  std::unique_ptr<upstream::lb::LbPicker> makePicker(upstream::lb::LbWorker& worker) const override;

 private:
  const std::vector<Source> sources_;
};

}  // namespace sluice::extensions::load_balancing_policies::override_host
