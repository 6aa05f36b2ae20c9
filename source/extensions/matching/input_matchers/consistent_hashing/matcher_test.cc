#include "source/extensions/matching/input_matchers/consistent_hashing/matcher.h"

#include <catch2/catch.hpp>
#include <string>

#include "envoy/extensions/matching/input_matchers/consistent_hashing/v3/consistent_hashing.pb.h"
#include "source/config/test_world.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/consistent_hashing/factory.h"

namespace sluice::extensions::matching::input_matchers::consistent_hashing {
namespace {

using Proto = envoy::extensions::matching::input_matchers::consistent_hashing::v3::ConsistentHashing;

// How many of 1,000 values match.
int matchesOf(const match::ValueMatcher& matcher) {
  int out = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string value = std::to_string(i);
    out += matcher.matches({.text = value});
  }
  return out;
}

TEST_CASE("values match whose hash modulo modulo is at least the threshold") {
  const uint64_t hash = base::xxHash64("alice", 7);

  CHECK(HashMatcher(static_cast<uint32_t>(hash % 1000), 1000, 7).matches({.text = "alice"}));
  CHECK_FALSE(HashMatcher(static_cast<uint32_t>(hash % 1000 + 1), 1000, 7).matches({.text = "alice"}));
  CHECK(matchesOf(HashMatcher(0, 10, 0)) == 1000);
  CHECK(matchesOf(HashMatcher(10, 10, 0)) == 0);
  const int fifth = matchesOf(HashMatcher(8, 10, 0));
  CHECK(fifth > 150);
  CHECK(fifth < 250);
}

TEST_CASE("other seeds choose other values") {
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string value = std::to_string(i);
    differ += HashMatcher(5, 10, 1).matches({.text = value}) != HashMatcher(5, 10, 2).matches({.text = value});
  }

  CHECK(differ > 20);
}

TEST_CASE("an absent value matches no share, not even that of all") {
  CHECK_FALSE(HashMatcher(0, 1, 0).matches({}));
}

TEST_CASE("a threshold that no hash reaches is warned of, and a modulo of 0 refused") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  const auto* factory = world.registry.value_matchers.find(Proto::descriptor()->full_name());
  REQUIRE(factory);
  Proto proto;

  REQUIRE(world.load("{threshold: 10, modulo: 10}", proto));
  CHECK(factory->compile(proto, world.context()));
  REQUIRE(world.errors.warnings().size() == 1);
  CHECK(world.errors.warnings()[0].toString().find("threshold: is 10 and no hash modulo 10") != std::string::npos);
  proto.Clear();
  CHECK_FALSE(world.load("{threshold: 1}", proto));
}

}  // namespace
}  // namespace sluice::extensions::matching::input_matchers::consistent_hashing
