// What sets objects of a filter state by formats. Immutable, shared by all workers.
// (proto: envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue)
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/stream/filter_state.h"
#include "source/stream/formatter.h"
#include "source/stream/object_types.h"

namespace sluice::stream {

struct FilterStateRule {
  std::string key;
  const ObjectType* type = nullptr;  // never null
  std::shared_ptr<const Formatter> value;
  FilterState::Options options = {};
  bool skip_if_empty = false;
};

// One after the other, so that a format may show what was set before. What is no value of its type is not set.
class FilterStateRules {
 public:
  FilterStateRules() = default;
  explicit FilterStateRules(std::vector<FilterStateRule> rules) : rules_(std::move(rules)) {}

  bool empty() const { return rules_.empty(); }
  // Sets them in `info`, which `context` is about. True if any was set.
  bool apply(const FormatContext& context, StreamInfo& info) const;

 private:
  std::vector<FilterStateRule> rules_;
};

}  // namespace sluice::stream
