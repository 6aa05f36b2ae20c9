// What a cluster says of requests to it, instead of their routes.
// (proto: extensions.upstreams.http.v3.HttpProtocolOptions.retry_policy, hash_policy, request_mirror_policies)
#pragma once

#include <memory>

#include "source/route/hash_policy.h"
#include "source/route/mirror_policy.h"
#include "source/route/retry_policy.h"

namespace sluice::route {

// Immutable, shared by all workers. Null: as the route says.
struct RequestPolicies {
  std::shared_ptr<const RetryPolicy> retry;
  std::shared_ptr<const HashPolicy> hash;
  std::shared_ptr<const MirrorPolicies> mirrors;
};

}  // namespace sluice::route
