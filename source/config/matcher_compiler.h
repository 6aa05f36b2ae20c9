// xds.type.matcher.v3.Matcher as a tree that data paths evaluate. Thread: main. Run after validate(); errors go to
// `context`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "source/config/services.h"
#include "source/match/tree.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace sluice::config {

// Where a matcher stands: what it may look at, and what its actions mean.
struct MatchPlace {
  std::string_view name;  // for errors: "filter_chain_matcher"
  uint8_t parts = 0;      // what there is to look at, as bits of match::Part
  bool keeps_matching = false;
  // The number of an action; nothing after an error. `context` stands at its typed_config.
  std::function<std::optional<match::Action>(const google::protobuf::Any& action, const Context& context)> action;
};

// Null after an error. `context` stands at the matcher.
std::shared_ptr<const match::Matcher> compileMatcher(const ::xds::type::matcher::v3::Matcher& matcher,
                                                     const MatchPlace& place, const FactoryContext& context);

}  // namespace sluice::config
