#include "source/filter/discovered_network_filters.h"

#include <catch2/catch.hpp>

#include "source/worker/test_worker.h"

namespace sluice::filter {
namespace {

// Notes what filters the connections have that it is given.
struct Recorder final : TerminalNetworkFilter {
  void serve(Accepted accepted, worker::WorkerServices&, base::List<LiveConnection>&) const override {
    filters = accepted.filters;
    ++served;
  }
  mutable std::shared_ptr<const NetworkFilters> filters;
  mutable int served = 0;
};

TEST_CASE("a connection has the filters that are there when it is accepted, and is closed where one is missing") {
  worker::LocalSlots slots;
  worker::testing::TestWorker worker(nullptr, slots);
  base::List<LiveConnection> list;
  const auto fixed = std::make_shared<const NetworkFilterFactory>();
  const auto one = std::make_shared<const NetworkFilterFactory>(), two = std::make_shared<const NetworkFilterFactory>();
  const auto holder = std::make_shared<NetworkFilterHolder>(slots);
  const auto terminal = std::make_shared<const Recorder>();
  const auto chain = makeDiscovered({fixed, nullptr}, {{1, holder}}, terminal);

  chain->serve(Accepted{}, worker.services, list);
  CHECK(terminal->served == 0);

  holder->set(one);
  chain->serve(Accepted{}, worker.services, list);
  REQUIRE(terminal->served == 1);
  const auto first = terminal->filters;
  CHECK(*first == NetworkFilters{fixed, one});

  holder->set(two);
  chain->serve(Accepted{}, worker.services, list);
  CHECK(*terminal->filters == NetworkFilters{fixed, two});
  CHECK(*first == NetworkFilters{fixed, one});
}

}  // namespace
}  // namespace sluice::filter
