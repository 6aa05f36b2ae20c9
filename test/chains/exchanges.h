// One chain of three filters by chance, and some exchanges through it.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::chains {

// What is wrong, with all that led to it; empty: nothing.
std::string runSeed(uint64_t seed);

}  // namespace sluice::chains
