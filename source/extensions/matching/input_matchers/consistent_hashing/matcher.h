// Values by their hash, the same on every proxy.
// (proto: envoy.extensions.matching.input_matchers.consistent_hashing.v3.ConsistentHashing)
#pragma once

#include <cstdint>

#include "source/base/xx_hash.h"
#include "source/match/input.h"

namespace sluice::extensions::matching::input_matchers::consistent_hashing {

class HashMatcher : public match::ValueMatcher {
 public:
  // `modulo` is more than 0.
  HashMatcher(uint32_t threshold, uint32_t modulo, uint64_t seed)
      : threshold_(threshold), modulo_(modulo), seed_(seed) {}

  bool matches(const match::Value& value) const override {
    return value.text && base::xxHash64(*value.text, seed_) % modulo_ >= threshold_;
  }

 private:
  const uint32_t threshold_, modulo_;
  const uint64_t seed_;
};

}  // namespace sluice::extensions::matching::input_matchers::consistent_hashing
