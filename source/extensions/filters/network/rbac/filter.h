// Closes connections that its rules do not allow; shadow rules only count.
// (proto: envoy.extensions.filters.network.rbac.v3.RBAC)
#pragma once

#include <map>
#include <optional>
#include <string>

#include "source/filter/network_filter.h"
#include "source/filter/rbac/rules.h"

namespace sluice::extensions::network_filters::rbac {

// STAT_PREFIX.rbac.*
struct Stats {
  observability::Counter allowed, denied, shadow_allowed, shadow_denied;
};

struct Settings {
  std::optional<filter::rbac::Rules> rules;
  std::optional<filter::rbac::Rules> shadow_rules;
  std::chrono::milliseconds delay{0};
  Stats stats;
};

class Rbac : public filter::NetworkFilterFactory {
 public:
  explicit Rbac(Settings settings);

  filter::NetworkResult admit(filter::NetworkStream& stream) const override;

 private:
  const Settings settings_;
  std::map<const filter::rbac::Policy*, std::string> details_;  // of a refusal; null: no policy matched
};

}  // namespace sluice::extensions::network_filters::rbac
