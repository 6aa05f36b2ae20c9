#include "source/upstream/lb/tier_choice.h"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

namespace sluice::upstream::lb {
namespace {

struct Tier {
  uint32_t percent, availability, priority;
};

// How many of 100 points fall to each priority.
std::map<uint32_t, int> shares(const std::vector<Tier>& tiers, const base::PrioritySet* passed_over) {
  std::map<uint32_t, int> out;
  for (uint64_t point = 0; point < 100; ++point) ++out[chooseTier(std::span(tiers), point, passed_over).priority];
  return out;
}

using Shares = std::map<uint32_t, int>;

TEST_CASE("tiers get their shares, and those that are left theirs when some are passed over") {
  const std::vector<Tier> tiers{{70, 70, 0}, {30, 50, 1}, {0, 100, 2}};
  const base::PrioritySet first(0b001), second(0b010), both(0b011), all(0b111);

  CHECK(shares(tiers, nullptr) == Shares{{0, 70}, {1, 30}});
  CHECK(shares(tiers, &first) == Shares{{1, 50}, {2, 50}});
  CHECK(shares(tiers, &second) == Shares{{0, 70}, {2, 30}});
  CHECK(shares(tiers, &both) == Shares{{2, 100}});
  CHECK(shares(tiers, &all) == Shares{{0, 70}, {1, 30}});
}

TEST_CASE("what is left gets all, however little it could take, and its first what rounding left") {
  const base::PrioritySet first(0b001);

  CHECK(shares({{100, 100, 0}, {0, 5, 1}}, &first) == Shares{{1, 100}});
  CHECK(shares({{100, 100, 0}, {0, 10, 1}, {0, 20, 2}}, &first) == Shares{{1, 34}, {2, 66}});
}

TEST_CASE("a priority in panic without an available host is none that is left") {
  const base::PrioritySet first(0b001);

  CHECK(shares({{50, 0, 0}, {50, 0, 1}}, &first) == Shares{{0, 50}, {1, 50}});
}

}  // namespace
}  // namespace sluice::upstream::lb
