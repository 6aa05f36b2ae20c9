#include "source/extensions/matching/inputs/environment_variable/input.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "envoy/extensions/matching/common_inputs/environment_variable/v3/input.pb.h"
#include "source/config/match_input_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/matching/inputs/environment_variable/factory.h"

namespace sluice::extensions::matching::inputs::environment_variable {
namespace {

using Proto = envoy::extensions::matching::common_inputs::environment_variable::v3::Config;

// The value of a variable, "-" for none.
std::string read(const std::string& name) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  REQUIRE(world.load("name: " + name, proto));
  const auto* factory = world.registry.match_inputs.find(Proto::descriptor()->full_name());
  REQUIRE(factory);
  const auto input = factory->compile(proto, world.context());
  match::Scratch scratch;
  return std::string(input->get({}, scratch).text.value_or("-"));
}

TEST_CASE("a variable is read when the configuration is loaded; one that is not set has no value") {
  ::setenv("SLUICE_TEST_ZONE", "eu-1", 1);
  ::setenv("SLUICE_TEST_EMPTY", "", 1);
  ::unsetenv("SLUICE_TEST_ABSENT");

  CHECK(read("SLUICE_TEST_ZONE") == "eu-1");
  CHECK(read("SLUICE_TEST_EMPTY") == "");
  CHECK(read("SLUICE_TEST_ABSENT") == "-");
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::environment_variable
