// Chance where no worker is at hand: formats and conditions stand in many places.
//
// Each thread has a sequence of its own, seeded by the system. Not for secrets.
#pragma once

#include <cstdint>

namespace sluice::stream {

uint64_t drawChance();

}  // namespace sluice::stream
