// Compiles what sets objects of a filter state. Thread: main. Run after validate(); errors go to `context`.
// (proto: envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue)
#pragma once

#include <string_view>

#include "envoy/extensions/filters/common/set_filter_state/v3/value.pb.h"
#include "google/protobuf/repeated_field.h"
#include "source/config/errors.h"
#include "source/stream/filter_state_rules.h"

namespace sluice::config {

// Whose filter state is set.
enum class StateOf : uint8_t { kRequest, kConnection };

// `context` stands at the message that has the list in `field`.
stream::FilterStateRules compileFilterStateRules(
    const google::protobuf::RepeatedPtrField<
        envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue>& values,
    std::string_view field, StateOf whose, const Context& context);

}  // namespace sluice::config
