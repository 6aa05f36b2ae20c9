#include "source/extensions/matching/input_matchers/cel/matcher.h"

#include <catch2/catch.hpp>
#include <string>

#include "source/base/arena.h"
#include "source/config/test_world.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/cel/factory.h"
#include "xds/type/matcher/v3/cel.pb.h"

namespace sluice::extensions::matching::input_matchers::cel {
namespace {

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }

  // Null: problems() says why.
  std::shared_ptr<const match::ValueMatcher> compile(const std::string& expression) {
    xds::type::matcher::v3::CelMatcher proto;
    proto.mutable_expr_match()->set_cel_expr_string(expression);
    google::protobuf::Any any;
    any.PackFrom(proto);
    const auto found = registry.value_matchers.resolve(any, at);
    return found ? found.factory->compile(*found.config, context()) : nullptr;
  }
};

TEST_CASE("a request matches if the expression is true of it") {
  World world;
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.method = "GET";
  request.path = "/a";
  request.add("x-user", "ann");
  const stream::StreamInfo info;
  const match::Data data{.request = &request, .info = &info};
  const auto matches = [&](const std::string& expression) {
    const auto matcher = world.compile(expression);
    INFO(world.problems());
    REQUIRE(matcher != nullptr);
    return matcher->matches({.everything = &data});
  };

  CHECK(matches("request.method == 'GET' && request.headers['x-user'] in ['ann', 'bob']"));
  CHECK_FALSE(matches("request.path.startsWith('/b')"));
  CHECK_FALSE(matches("response.code == 200"));
  CHECK(matches("!has(response.code)"));
}

TEST_CASE("a single value, or what is no HTTP, does not match") {
  World world;
  const auto matcher = world.compile("true");
  REQUIRE(matcher != nullptr);
  const match::Data connection;

  CHECK_FALSE(matcher->matches({.text = "GET"}));
  CHECK_FALSE(matcher->matches({.everything = &connection}));
}

TEST_CASE("an expression that cannot be one is refused") {
  World world;

  CHECK(world.compile("request.path") == nullptr);

  CHECK_THAT(world.problems(),
             Catch::Contains("expr_match.cel_expr_string") && Catch::Contains("its value is a string"));
}

}  // namespace
}  // namespace sluice::extensions::matching::input_matchers::cel
