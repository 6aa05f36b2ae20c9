#include "source/extensions/filters/network/local_ratelimit/filter.h"

#include <catch2/catch.hpp>

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

}  // namespace
}  // namespace sluice::extensions::network_filters::local_ratelimit
