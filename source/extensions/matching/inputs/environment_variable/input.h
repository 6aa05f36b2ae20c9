// A variable of the environment, as it was when the configuration was loaded.
// (proto: envoy.extensions.matching.common_inputs.environment_variable.v3.Config)
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "source/match/input.h"

namespace sluice::extensions::matching::inputs::environment_variable {

class Variable : public match::Input {
 public:
  // nullopt: it is not set.
  explicit Variable(std::optional<std::string> value) : value_(std::move(value)) {}
  uint8_t needs() const override { return 0; }
  match::Value get(const match::Data&, match::Scratch&) const override { return {.text = value_}; }

 private:
  const std::optional<std::string> value_;
};

}  // namespace sluice::extensions::matching::inputs::environment_variable
