#include "source/extensions/filters/network/rbac/filter.h"

#include <algorithm>

namespace sluice::extensions::network_filters::rbac {
namespace {

// As access logs show it: no spaces.
std::string detailsOf(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c == 127; }, '_');
  return "rbac_access_denied_matched_policy[" + name + "]";
}

}  // namespace

Rbac::Rbac(Settings settings) : settings_(std::move(settings)) {
  details_.emplace(nullptr, detailsOf("none"));
  if (!settings_.rules) return;
  for (const filter::rbac::Policy& policy : settings_.rules->policies) {
    details_.emplace(&policy, detailsOf(policy.name));
  }
}

filter::NetworkResult Rbac::admit(filter::NetworkStream& stream) const {
  const filter::ConnectionFacts& facts = stream.facts();
  const filter::rbac::Subject subject{facts.remote, facts.direct_remote, facts.local, facts.server_name, facts.tls};
  if (settings_.shadow_rules) {
    const bool allowed = settings_.shadow_rules->decide(subject).allowed;
    stream.cells().add(allowed ? settings_.stats.shadow_allowed : settings_.stats.shadow_denied);
  }
  if (!settings_.rules) return filter::Next{};
  const filter::rbac::Rules::Decision decision = settings_.rules->decide(subject);
  stream.cells().add(decision.allowed ? settings_.stats.allowed : settings_.stats.denied);
  if (decision.allowed) return filter::Next{};
  return filter::Close{details_.find(decision.policy)->second, settings_.delay};
}

}  // namespace sluice::extensions::network_filters::rbac
