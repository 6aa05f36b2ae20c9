#include "source/extensions/internal_redirect/previous_routes/factory.h"

#include <memory>

#include "envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config.pb.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/extensions/internal_redirect/previous_routes/predicate.h"

namespace sluice::extensions::internal_redirect::previous_routes {
namespace {

using Proto = ::envoy::extensions::internal_redirect::previous_routes::v3::PreviousRoutesConfig;

class Factory : public config::RedirectPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const route::RedirectPredicate> compile(const google::protobuf::Message&,
                                                          config::FactoryContext) const override {
    return std::make_shared<Predicate>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.redirect_predicates.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::internal_redirect::previous_routes
