#include "source/extensions/internal_redirect/allow_listed_routes/predicate.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config.pb.h"
#include "source/config/redirect_predicate_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/internal_redirect/allow_listed_routes/factory.h"

namespace sluice::extensions::internal_redirect::allow_listed_routes {
namespace {

struct Compiler {
  Compiler() { registerFactory(world.registry); }
  std::shared_ptr<const route::RedirectPredicate> compile(const std::string& json) {
    using Proto = ::envoy::extensions::internal_redirect::allow_listed_routes::v3::AllowListedRoutesConfig;
    const auto* factory = world.registry.redirect_predicates.find(Proto::descriptor()->full_name());
    return factory->compile(config::testing::fromJson<Proto>(json), world.context());
  }

  config::testing::TestWorld world;
};

TEST_CASE("a redirect to a route of the list is followed, one to another is not") {
  Compiler compiler;

  const auto predicate = compiler.compile(R"({"allowedRouteNames": ["files", "mirror"]})");

  CHECK(predicate->accepts({.route = "files"}));
  CHECK(predicate->accepts({.route = "mirror", .repeated = true}));
  CHECK_FALSE(predicate->accepts({.route = "file"}));
  CHECK_FALSE(predicate->accepts({.route = ""}));
  CHECK(compiler.world.problems() == "");
}

TEST_CASE("with an empty list none is followed, and that is said") {
  Compiler compiler;

  const auto predicate = compiler.compile("{}");

  CHECK_FALSE(predicate->accepts({.route = ""}));
  REQUIRE(compiler.world.errors.warnings().size() == 1);
  CHECK(compiler.world.errors.warnings()[0].message.find("no redirect is followed") != std::string::npos);
}

}  // namespace
}  // namespace sluice::extensions::internal_redirect::allow_listed_routes
