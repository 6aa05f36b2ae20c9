// Any three HTTP filters in any order, by seed.
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "test/chains/exchanges.h"
#include "test/chains/filters.h"

namespace sluice::chains {
namespace {

uint64_t numberFrom(const char* variable, uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_CASE("every HTTP filter has a row") {
  std::set<std::string> known{"router"};  // ends a chain
  for (const Row& row : rows()) known.emplace(row.folder);
  size_t filters = 0;
  for (const auto& entry : std::filesystem::directory_iterator("source/extensions/filters/http")) {
    INFO("add " << entry.path().filename() << " to rows() of test/chains/filters.cc");
    CHECK(known.count(entry.path().filename()) == 1);
    ++filters;
  }
  CHECK(filters == known.size());
}

TEST_CASE("chains of three filters keep their promises, whatever happens") {
  const uint64_t first = numberFrom("SLUICE_CHAINS_SEED", 1);
  const uint64_t count = numberFrom("SLUICE_CHAINS_SEEDS", 300);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    INFO("SLUICE_CHAINS_SEED=" << seed << " SLUICE_CHAINS_SEEDS=1");
    CHECK(runSeed(seed) == "");
  }
}

}  // namespace
}  // namespace sluice::chains
