#include "source/listener/chain_pairs.h"

#include <catch2/catch.hpp>

namespace sluice::listener {
namespace {

using Pairs = std::vector<std::optional<size_t>>;

std::vector<FilterChain> chainsOf(std::initializer_list<uint64_t> hashes) {
  std::vector<FilterChain> out;
  for (const uint64_t hash : hashes) out.push_back({"", hash, nullptr});
  return out;
}

TEST_CASE("A chain goes on in the one of the same content, wherever that stands") {
  CHECK(pairChains(chainsOf({1, 2, 3}), chainsOf({3, 1})) == Pairs{2, 0});
}

TEST_CASE("A chain of other content begins without connections") {
  CHECK(pairChains(chainsOf({1}), chainsOf({4, 1})) == Pairs{std::nullopt, 0});
  CHECK(pairChains({}, chainsOf({1})) == Pairs{std::nullopt});
}

TEST_CASE("A chain goes on in one other only") {
  CHECK(pairChains(chainsOf({7}), chainsOf({7, 7})) == Pairs{0, std::nullopt});
  CHECK(pairChains(chainsOf({7, 7}), chainsOf({7, 7})) == Pairs{0, 1});
}

}  // namespace
}  // namespace sluice::listener
