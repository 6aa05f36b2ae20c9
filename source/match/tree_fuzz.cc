// Evaluates trees made from bytes: each has to answer as going through every entry does.
#include <cstdint>
#include <cstdlib>

#include "source/match/random_trees.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  size_t at = 0;
  sluice::match::RandomTrees trees([&](size_t below) { return at < size ? data[at++] % below : size_t{0}; });
  const sluice::match::PlainMatcher plain = trees.matcher();
  if (!(sluice::match::compiled(plain)->evaluate({}) == sluice::match::naive(plain))) std::abort();
  return 0;
}
