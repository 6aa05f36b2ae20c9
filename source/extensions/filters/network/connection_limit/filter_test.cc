#include "source/extensions/filters/network/connection_limit/filter.h"

#include <catch2/catch.hpp>
#include <thread>

#include "source/filter/test_network.h"

using namespace std::chrono_literals;

namespace sluice::extensions::filters::network::connection_limit {
namespace {

TEST_CASE("connections beyond the limit are closed, and an end makes room") {
  filter::TestNetwork t;
  const ConnectionLimit limit(2, 300ms, {t.registry.counter("limited"), t.registry.gauge("active")});
  CHECK(t.ask(limit).allowed);
  CHECK(t.ask(limit).allowed);
  const filter::ConnectionVerdict refused = t.ask(limit);
  CHECK(!refused.allowed);
  CHECK(refused.delay == 300ms);
  CHECK(t.stat("limited") == 1);

  limit.onEnd(t.facts, t.cells, false);
  CHECK(!t.ask(limit).allowed);
  limit.onEnd(t.facts, t.cells, true);

  CHECK(t.stat("active") == 1);
  CHECK(t.ask(limit).allowed);
}

TEST_CASE("the limit holds for all workers together") {
  const ConnectionLimit limit(1000, 0ms, {});
  std::atomic<int> allowed{0};
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      observability::StatsCells cells;
      filter::ConnectionFacts facts;
      for (int n = 0; n < 1000; ++n) {
        if (limit.onConnection(facts, cells, {}).allowed) ++allowed;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();

  CHECK(allowed == 1000);
}

}  // namespace
}  // namespace sluice::extensions::filters::network::connection_limit
