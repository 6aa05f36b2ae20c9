#include "source/extensions/retry/priority/previous_priorities/priority.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/retry/priority/previous_priorities/factory.h"

namespace sluice::extensions::retry::priority::previous_priorities {
namespace {

// The priorities, in order.
std::vector<size_t> passedOver(const route::RetryPriority& priority, const std::vector<uint8_t>& tried) {
  const base::PrioritySet set = priority.passedOver(tried);
  std::vector<size_t> out;
  for (size_t i = 0; i < set.size(); ++i) {
    if (set.test(i)) out.push_back(i);
  }
  return out;
}

TEST_CASE("the priorities of all attempts so far are passed over") {
  const Priority priority(1);

  CHECK(passedOver(priority, {}).empty());
  CHECK(passedOver(priority, {0}) == std::vector<size_t>{0});
  CHECK(passedOver(priority, {128, 0, 128}) == std::vector<size_t>{0, 128});
}

TEST_CASE("more are passed over each time that so many attempts were made") {
  const Priority priority(2);

  CHECK(passedOver(priority, {0}).empty());
  CHECK(passedOver(priority, {0, 1}) == std::vector<size_t>{0, 1});
  CHECK(passedOver(priority, {0, 1, 2}) == std::vector<size_t>{0, 1});
  CHECK(passedOver(priority, {0, 1, 2, 3}) == std::vector<size_t>{0, 1, 2, 3});
}

TEST_CASE("how often more are passed over is configured") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  using Proto = ::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;
  const auto* factory = world.registry.retry_priorities.find(Proto::descriptor()->full_name());

  const auto priority =
      factory->compile(config::testing::fromJson<Proto>(R"({"updateFrequency": 2})"), world.context());

  CHECK(passedOver(*priority, {0}).empty());
  CHECK(passedOver(*priority, {0, 0}) == std::vector<size_t>{0});
  CHECK(world.problems() == "");
}

}  // namespace
}  // namespace sluice::extensions::retry::priority::previous_priorities
