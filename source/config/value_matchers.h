#pragma once

// Matchers of what filters left for others. Thread: main. Run after validate(); errors go to `context`, which stands at
// the message. `regexes` compiles each expression once.

#include "envoy/type/matcher/v3/filter_state.pb.h"
#include "envoy/type/matcher/v3/metadata.pb.h"
#include "envoy/type/matcher/v3/value.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/match/metadata.h"

namespace sluice::config {

match::MetadataValueMatcher compileValueMatcher(const envoy::type::matcher::v3::ValueMatcher& config,
                                                const Context& context, Regexes& regexes);
match::MetadataMatcher compileMetadataMatcher(const envoy::type::matcher::v3::MetadataMatcher& config,
                                              const Context& context, Regexes& regexes);
match::FilterStateMatcher compileFilterStateMatcher(const envoy::type::matcher::v3::FilterStateMatcher& config,
                                                    const Context& context, Regexes& regexes);

}  // namespace sluice::config
