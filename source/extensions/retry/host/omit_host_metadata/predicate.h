// Hosts that have all of some metadata under "envoy.lb".
// (proto: envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig)
#pragma once

#include <utility>

#include "source/route/retry_policy.h"
#include "source/stream/metadata_criteria.h"

namespace sluice::extensions::retry::host::omit_host_metadata {

class Predicate : public route::RetryHostPredicate {
 public:
  // What a host is passed over for having; one of a list of its values is enough. Empty: none is.
  explicit Predicate(stream::MetadataCriteria wanted) : wanted_(std::move(wanted)) {}
  bool refuses(const route::RetryHost& host) const override;

 private:
  const stream::MetadataCriteria wanted_;
};

}  // namespace sluice::extensions::retry::host::omit_host_metadata
