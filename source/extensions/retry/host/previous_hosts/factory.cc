#include "source/extensions/retry/host/previous_hosts/factory.h"

#include <memory>

#include "envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/extensions/retry/host/previous_hosts/predicate.h"

namespace sluice::extensions::retry::host::previous_hosts {

void registerFactory(config::Registry& registry) {
  using Proto = ::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
  registry.retry_host_predicates.add(std::make_unique<config::PlainRetryPredicateFactory<Proto, Predicate>>());
}

}  // namespace sluice::extensions::retry::host::previous_hosts
