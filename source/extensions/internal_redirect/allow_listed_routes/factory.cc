#include "source/extensions/internal_redirect/allow_listed_routes/factory.h"

#include <memory>

#include "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.pb.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/extensions/internal_redirect/allow_listed_routes/predicate.h"

namespace sluice::extensions::internal_redirect::allow_listed_routes {
namespace {

using Proto = ::envoy::extensions::internal_redirect::allow_listed_routes::v3::AllowListedRoutesConfig;

class Factory : public config::RedirectPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const route::RedirectPredicate> compile(const google::protobuf::Message& message,
                                                          config::FactoryContext context) const override {
    const auto& names = static_cast<const Proto&>(message).allowed_route_names();
    if (names.empty()) {
      context.at.child("allowed_route_names").warn("is empty, so no redirect is followed; name the routes");
    }
    return std::make_shared<Predicate>(Predicate::Names(names.begin(), names.end()));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.redirect_predicates.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::internal_redirect::allow_listed_routes
