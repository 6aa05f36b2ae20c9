// Randomness of the system, from which generators begin.
#pragma once

#include <cstdint>
#include <random>

namespace sluice::base {

inline uint64_t drawSeed() {
  std::random_device entropy;
  return uint64_t{entropy()} << 32 | entropy();
}

}  // namespace sluice::base
