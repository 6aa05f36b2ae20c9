// Closes connections that its rules do not allow; shadow rules only count.
// (proto: envoy.extensions.filters.network.rbac.v3.RBAC)
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "source/filter/network_filter.h"
#include "source/filter/rbac/engine.h"

namespace sluice::extensions::network_filters::rbac {

// STAT_PREFIX.rbac.*
struct Stats {
  observability::Counter allowed, denied, shadow_allowed, shadow_denied;
};

struct Settings {
  std::shared_ptr<const filter::rbac::Engine> rules, shadow;  // null: none
  std::chrono::milliseconds delay{0};
  Stats stats;
};

class Rbac : public filter::NetworkFilterFactory {
 public:
  explicit Rbac(Settings settings) : settings_(std::move(settings)) {}

  filter::NetworkResult admit(filter::NetworkStream& stream) const override;

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::network_filters::rbac
