#include "source/upstream/cluster/load_weight.h"

#include <catch2/catch.hpp>

namespace sluice::upstream::cluster {
namespace {

using namespace std::chrono_literals;

const event::TimePoint kStart{1000s};

TEST_CASE("a host has the weight of its last report once its first one is old enough") {
  LoadWeight weight;
  CHECK_FALSE(weight.at(kStart, 0s, 60s));

  weight.report(5, kStart, 60s);
  weight.report(7, kStart + 9s, 60s);

  CHECK_FALSE(weight.at(kStart + 9s, 10s, 60s));
  CHECK(weight.at(kStart + 10s, 10s, 60s) == 7.0);
  CHECK(weight.at(kStart + 9s, 0s, 60s) == 7.0);
}

TEST_CASE("a host that was silent for too long has no weight, and has to prove itself anew") {
  LoadWeight weight;
  weight.report(5, kStart, 60s);

  CHECK(weight.at(kStart + 59s, 10s, 60s) == 5.0);
  CHECK_FALSE(weight.at(kStart + 60s, 10s, 60s));
  weight.report(6, kStart + 70s, 60s);

  CHECK_FALSE(weight.at(kStart + 75s, 10s, 60s));
  CHECK(weight.at(kStart + 80s, 10s, 60s) == 6.0);
}

TEST_CASE("the clock of a worker may lag behind the one that reported") {
  LoadWeight weight;
  weight.report(5, kStart + 20ms, 60s);

  CHECK_FALSE(weight.at(kStart, 0s, 60s));
  CHECK(weight.at(kStart + 20ms, 0s, 60s) == 5.0);
}

}  // namespace
}  // namespace sluice::upstream::cluster
