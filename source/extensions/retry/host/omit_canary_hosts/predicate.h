// Hosts that are canaries: `canary: true` in their metadata under "envoy.lb".
// (proto: envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate)
#pragma once

#include "source/route/retry_policy.h"
#include "source/stream/metadata_criteria.h"

namespace sluice::extensions::retry::host::omit_canary_hosts {

class Predicate : public route::RetryHostPredicate {
 public:
  bool refuses(const route::RetryHost& host) const override {
    if (host.metadata == nullptr) return false;
    const stream::MetadataValue* const found = stream::findMetadata(*host.metadata, stream::kBalancingMetadata, path_);
    const bool* const canary = found == nullptr ? nullptr : std::get_if<bool>(&found->value);
    return canary != nullptr && *canary;
  }

 private:
  const std::vector<std::string> path_{"canary"};
};

}  // namespace sluice::extensions::retry::host::omit_canary_hosts
