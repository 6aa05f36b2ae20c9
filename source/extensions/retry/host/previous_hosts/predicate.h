// Hosts that the request has been at. (proto: envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate)
#pragma once

#include "source/route/retry_policy.h"

namespace sluice::extensions::retry::host::previous_hosts {

class Predicate : public route::RetryHostPredicate {
 public:
  bool refuses(const route::RetryHost& host) const override { return host.tried; }
};

}  // namespace sluice::extensions::retry::host::previous_hosts
