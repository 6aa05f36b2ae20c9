// A share of values, by their hash; runtime may say how large. The same on every proxy.
// (proto: envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction)
#pragma once

#include <cstdint>

#include "source/base/xx_hash.h"
#include "source/match/input.h"
#include "source/runtime/fraction.h"

namespace sluice::extensions::matching::input_matchers::runtime_fraction {

class FractionMatcher : public match::ValueMatcher {
 public:
  FractionMatcher(runtime::Fraction fraction, uint64_t seed) : fraction_(fraction), seed_(seed) {}

  bool matches(const match::Value& value) const override {
    return value.text && fraction_.includes(base::xxHash64(*value.text, seed_));
  }

 private:
  const runtime::Fraction fraction_;
  const uint64_t seed_;
};

}  // namespace sluice::extensions::matching::input_matchers::runtime_fraction
