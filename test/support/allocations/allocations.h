// How much memory a test asks for. Linking this replaces operator new of the whole program, so only tests that count
// do.
#pragma once

#include <cstdint>

namespace sluice::testing {

// How often this thread has called operator new. What asks malloc directly is not seen.
uint64_t allocations();

}  // namespace sluice::testing
