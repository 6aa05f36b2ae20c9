#include "source/extensions/internal_redirect/previous_routes/factory.h"

#include <memory>

#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/extensions/internal_redirect/previous_routes/predicate.h"

namespace sluice::extensions::internal_redirect::previous_routes {

void registerFactory(config::Registry& registry) {
  using Proto = ::envoy::extensions::internal_redirect::previous_routes::v3::PreviousRoutesConfig;
  registry.redirect_predicates.add(std::make_unique<config::PlainRedirectPredicateFactory<Proto, Predicate>>());
}

}  // namespace sluice::extensions::internal_redirect::previous_routes
