#include "source/extensions/filters/network/connection_limit/filter.h"

#include <catch2/catch.hpp>
#include <thread>

#include "envoy/extensions/filters/network/connection_limit/v3/connection_limit.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/connection_limit/factory.h"
#include "source/filter/test_network.h"
#include "source/worker/test_worker.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::connection_limit {
namespace {

TEST_CASE("connections beyond the limit are closed, and an end makes room") {
  filter::TestNetwork t;
  const ConnectionLimit limit(2, 300ms, {t.registry.counter("limited"), t.registry.gauge("active")});
  CHECK(!t.refusal(limit));
  CHECK(!t.refusal(limit));
  const std::optional<filter::Close> refused = t.refusal(limit);
  REQUIRE(refused);
  CHECK(refused->delay == 300ms);
  CHECK(t.stat("limited") == 1);

  limit.onEnd(t.stream, false);
  CHECK(t.refusal(limit));
  limit.onEnd(t.stream, true);

  CHECK(t.stat("active") == 1);
  CHECK(!t.refusal(limit));
}

TEST_CASE("the limit holds for all workers together") {
  const ConnectionLimit limit(1000, 0ms, {});
  std::atomic<int> allowed{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      worker::testing::TestWorker worker;
      filter::TestNetworkStream stream(worker.services);
      for (int n = 0; n < 1000; ++n) {
        if (limit.admit(stream).kind() == filter::NetworkResult::Kind::kNext) ++allowed;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();

  CHECK(allowed == 1000);
}

TEST_CASE("one that is switched off lets all through") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::network::connection_limit::v3::ConnectionLimit proto;
  REQUIRE(world.load("{stat_prefix: x, max_connections: 1, runtime_enabled: {runtime_key: k, default_value: false}}",
                     proto));
  const auto* factory = world.registry.connection_filters.find(proto.GetTypeName());
  const auto filter = factory->compile(proto, world.context());
  REQUIRE(filter);
  filter::TestNetwork t;
  CHECK(!t.refusal(*filter));
  CHECK(!t.refusal(*filter));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::connection_limit
