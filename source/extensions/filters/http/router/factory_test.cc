#include "source/extensions/filters/http/router/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "source/config/terminal_factory.h"
#include "source/config/test_world.h"
#include "source/router/router.h"

namespace sluice::extensions::http_filters::router {
namespace {

using Proto = envoy::extensions::filters::http::router::v3::Router;

TEST_CASE("a router sets x-envoy headers unless they are suppressed") {
  const bool suppressed = GENERATE(false, true);
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  REQUIRE(world.load(suppressed ? "{suppress_envoy_headers: true}" : "{}", proto));
  const auto* factory = world.registry.terminals.find(proto.GetDescriptor()->full_name());
  REQUIRE(factory != nullptr);

  const auto compiled = factory->compile(proto, world.context());

  const auto* settings = dynamic_cast<const sluice::router::RouterSettings*>(compiled.get());
  REQUIRE(settings != nullptr);
  CHECK(settings->suppress_envoy_headers == suppressed);
}

TEST_CASE("what a router counts and refuses is as its settings say") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  REQUIRE(
      world.load("{dynamic_stats: false, suppress_grpc_request_failure_code_stats: true, "
                 "respect_expected_rq_timeout: true, reject_connect_request_early_data: true, "
                 "strict_check_headers: [x-envoy-max-retries]}",
                 proto));

  const auto compiled =
      world.registry.terminals.find(proto.GetDescriptor()->full_name())->compile(proto, world.context());

  const auto* settings = dynamic_cast<const sluice::router::RouterSettings*>(compiled.get());
  REQUIRE(settings != nullptr);
  CHECK_FALSE(settings->dynamic_stats);
  CHECK(settings->suppress_grpc_code_stats);
  CHECK(settings->heeds_expected_timeout);
  CHECK(settings->refuses_early_connect_data);
  base::Arena arena;
  http::RequestHeaders head(arena);
  head.add("x-envoy-max-retries", "many");
  CHECK(settings->strict_words.findMalformed(head) == "x-envoy-max-retries");
  CHECK_FALSE(world.load("{strict_check_headers: [x-other]}", proto));
}

TEST_CASE("what a router cannot do is refused by its field's name") {
  config::testing::TestWorld world;
  Proto proto;

  CHECK_FALSE(world.load("{start_child_span: true}", proto));

  CHECK_THAT(world.problems(), Catch::Contains("start_child_span"));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::router
