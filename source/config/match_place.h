// Where a matcher stands: what it may look at, and what its actions mean.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "google/protobuf/any.pb.h"
#include "source/config/errors.h"
#include "source/match/tree.h"

namespace sluice::config {

struct MatchPlace {
  std::string_view name;  // for errors: "filter_chain_matcher"
  uint8_t parts = 0;      // what there is to look at, as bits of match::Part
  bool keeps_matching = false;
  // The number of an action; nothing after an error. `context` stands at its typed_config. Called once for each action
  // that is written down, in an order of no meaning.
  std::function<std::optional<match::Action>(const google::protobuf::Any& action, const Context& context)> action;
};

}  // namespace sluice::config
