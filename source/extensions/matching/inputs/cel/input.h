// All of an HTTP request. (proto: xds.type.matcher.v3.HttpAttributesCelMatchInput)
#pragma once

#include "source/match/input.h"

namespace sluice::extensions::matching::inputs::cel {

class AttributesInput : public match::Input {
 public:
  uint8_t needs() const override { return match::kRequest | match::kStream; }
  match::Value get(const match::Data& data, match::Scratch&) const override { return {.everything = &data}; }
  bool isEverything() const override { return true; }
};

}  // namespace sluice::extensions::matching::inputs::cel
