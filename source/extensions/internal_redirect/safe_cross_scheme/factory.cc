#include "source/extensions/internal_redirect/safe_cross_scheme/factory.h"

#include <memory>

#include "envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config.pb.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/extensions/internal_redirect/safe_cross_scheme/predicate.h"

namespace sluice::extensions::internal_redirect::safe_cross_scheme {

void registerFactory(config::Registry& registry) {
  using Proto = ::envoy::extensions::internal_redirect::safe_cross_scheme::v3::SafeCrossSchemeConfig;
  registry.redirect_predicates.add(std::make_unique<config::PlainRedirectPredicateFactory<Proto, Predicate>>());
}

}  // namespace sluice::extensions::internal_redirect::safe_cross_scheme
