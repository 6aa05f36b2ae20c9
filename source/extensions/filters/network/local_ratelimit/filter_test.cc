#include "source/extensions/filters/network/local_ratelimit/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/local_ratelimit/factory.h"
#include "source/filter/test_network.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::local_ratelimit {
namespace {

TEST_CASE("connections are closed while the bucket is empty, and time fills it") {
  filter::TestNetwork t;
  const LocalRateLimit limit(std::make_shared<base::TokenBucket>(2, 1, 1s), t.registry.counter("limited"));
  CHECK(!t.refusal(limit));
  CHECK(!t.refusal(limit));
  CHECK(t.refusal(limit));
  CHECK(t.stat("limited") == 1);

  t.loop.pass(1s);

  CHECK(!t.refusal(limit));
  CHECK(t.refusal(limit));
}

TEST_CASE("one that is switched off lets all through") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::network::local_ratelimit::v3::LocalRateLimit proto;
  REQUIRE(
      world.load("{stat_prefix: x, token_bucket: {max_tokens: 1, fill_interval: 3600s}, runtime_enabled: {runtime_key: "
                 "k, default_value: false}}",
                 proto));
  const auto* factory = world.registry.connection_filters.find(proto.GetTypeName());
  const auto filter = factory->compile(proto, world.context());
  REQUIRE(filter);
  filter::TestNetwork t;
  CHECK(!t.refusal(*filter));
  CHECK(!t.refusal(*filter));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::local_ratelimit
