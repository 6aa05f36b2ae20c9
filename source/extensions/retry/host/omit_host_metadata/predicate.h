// Hosts that have all of some metadata under "envoy.lb".
// (proto: envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig)
#pragma once

#include "source/route/retry_policy.h"

namespace sluice::extensions::retry::host::omit_host_metadata {

class Predicate : public route::RetryHostPredicate {
 public:
  // What a host is passed over for having. Empty: none is.
  explicit Predicate(stream::MetadataFields wanted) : wanted_(std::move(wanted)) {}
  bool refuses(const route::RetryHost& host) const override;

 private:
  const stream::MetadataFields wanted_;
};

}  // namespace sluice::extensions::retry::host::omit_host_metadata
