// A value of metadata against a pattern. (proto: envoy.extensions.matching.input_matchers.metadata.v3.Metadata)
#pragma once

#include <utility>

#include "source/match/input.h"
#include "source/match/metadata.h"

namespace sluice::extensions::matching::input_matchers::metadata {

class MetadataValue : public match::ValueMatcher {
 public:
  MetadataValue(match::MetadataValueMatcher value, bool invert) : value_(std::move(value)), invert_(invert) {}
  bool wantsStructured() const override { return true; }
  // An absent value matches nothing, and so it does if the result is turned round.
  bool matches(const match::Value& value) const override { return value_.matches(value.structured) != invert_; }

 private:
  const match::MetadataValueMatcher value_;
  const bool invert_;
};

}  // namespace sluice::extensions::matching::input_matchers::metadata
