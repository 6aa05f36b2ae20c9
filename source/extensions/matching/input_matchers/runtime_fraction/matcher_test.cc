#include "source/extensions/matching/input_matchers/runtime_fraction/matcher.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "envoy/extensions/matching/input_matchers/runtime_fraction/v3/runtime_fraction.pb.h"
#include "source/config/test_world.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/runtime_fraction/factory.h"
#include "source/runtime/snapshot.h"

namespace sluice::extensions::matching::input_matchers::runtime_fraction {
namespace {

using Proto = envoy::extensions::matching::input_matchers::runtime_fraction::v3::RuntimeFraction;

int matchesOf(const match::ValueMatcher& matcher) {
  int out = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string value = std::to_string(i);
    out += matcher.matches({.text = value});
  }
  return out;
}

TEST_CASE("a share of values matches, always the same ones for a seed") {
  const FractionMatcher tenth({10, 100}, 3);

  CHECK(matchesOf(tenth) > 60);
  CHECK(matchesOf(tenth) < 140);
  const uint64_t place = base::xxHash64("alice", 3) % 100;
  CHECK(FractionMatcher({static_cast<uint32_t>(place + 1), 100}, 3).matches({.text = "alice"}));
  CHECK_FALSE(FractionMatcher({static_cast<uint32_t>(place), 100}, 3).matches({.text = "alice"}));
  CHECK(matchesOf(FractionMatcher({100, 100}, 3)) == 1000);
  CHECK(matchesOf(FractionMatcher({0, 100}, 3)) == 0);
}

TEST_CASE("an absent value is in no share, not even that of all") {
  CHECK_FALSE(FractionMatcher({100, 100}, 0).matches({}));
}

TEST_CASE("runtime says how large the share is, else the configuration does") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  const auto* factory = world.registry.value_matchers.find(Proto::descriptor()->full_name());
  REQUIRE(factory);
  Proto proto;
  REQUIRE(world.load("{runtime_fraction: {default_value: {numerator: 100}, runtime_key: share}, seed: 3}", proto));
  CHECK(matchesOf(*factory->compile(proto, world.context())) == 1000);

  world.services.runtime = std::make_shared<const runtime::Snapshot>(
      std::map<std::string, runtime::Value, std::less<>>{{"share", runtime::Value::ofNumber(0)}});

  CHECK(matchesOf(*factory->compile(proto, world.context())) == 0);
}

}  // namespace
}  // namespace sluice::extensions::matching::input_matchers::runtime_fraction
