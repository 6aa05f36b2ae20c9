#include "source/extensions/retry/host/omit_canary_hosts/factory.h"

#include <memory>

#include "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/extensions/retry/host/omit_canary_hosts/predicate.h"

namespace sluice::extensions::retry::host::omit_canary_hosts {

void registerFactory(config::Registry& registry) {
  using Proto = ::envoy::extensions::retry::host::omit_canary_hosts::v3::OmitCanaryHostsPredicate;
  registry.retry_host_predicates.add(std::make_unique<config::PlainRetryPredicateFactory<Proto, Predicate>>());
}

}  // namespace sluice::extensions::retry::host::omit_canary_hosts
