#include "source/stream/chance.h"

#include "source/base/entropy.h"
#include "source/base/random.h"

namespace sluice::stream {

uint64_t drawChance() {
  static thread_local base::Random random(base::drawSeed());
  return random.next();
}

}  // namespace sluice::stream
