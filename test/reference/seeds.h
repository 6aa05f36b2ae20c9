// Which random scenarios a test makes.
//
// By default a fixed slice, which is what CI runs. SLUICE_REFERENCE_SEED is the first seed instead of 1, and
// SLUICE_REFERENCE_RUNS says how many times as many scenarios there are. A failure says its seed; a run that begins
// with it repeats it first.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>

namespace sluice::reference {

inline uint64_t numberFrom(const char* variable, uint64_t otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// `scenario(seed)` for `slice` seeds, or as the environment says.
template <typename Scenario>
void forEachSeed(uint64_t slice, Scenario scenario) {
  const uint64_t first = numberFrom("SLUICE_REFERENCE_SEED", 1);
  const uint64_t count = slice * numberFrom("SLUICE_REFERENCE_RUNS", 1);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    INFO("SLUICE_REFERENCE_SEED=" << seed);
    scenario(seed);
  }
}

}  // namespace sluice::reference
