// A share of things, chosen by chance. (proto: type.v3.FractionalPercent, core.v3.RuntimeFractionalPercent)
//
// A value: immutable, any thread.
#pragma once

#include <cstdint>

namespace sluice::runtime {

struct Fraction {
  uint32_t numerator = 0;
  uint32_t denominator = 100;  // more than 0

  // A random number chooses the share: evenly, up to a bias below denominator / 2^64.
  bool includes(uint64_t random) const { return random % denominator < numerator; }

  // The same with a number that `draw()` gives, which is asked only where chance decides.
  template <typename Draw>
  bool sample(Draw draw) const {
    return numerator >= denominator || (numerator > 0 && includes(draw()));
  }

  friend bool operator==(const Fraction&, const Fraction&) = default;
};

}  // namespace sluice::runtime
