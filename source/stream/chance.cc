#include "source/stream/chance.h"

#include <random>

#include "source/base/random.h"

namespace sluice::stream {

uint64_t drawChance() {
  static thread_local base::Random random([] {
    std::random_device entropy;
    return (static_cast<uint64_t>(entropy()) << 32) | entropy();
  }());
  return random.next();
}

}  // namespace sluice::stream
