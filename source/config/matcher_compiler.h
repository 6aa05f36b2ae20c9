// xds.type.matcher.v3.Matcher as a tree that data paths evaluate. Thread: main. Run after validate(); errors go to
// `context`.
//
// What it looks at and compares with are extensions: Registry::match_inputs (`input`) and Registry::value_matchers
// (`custom_match` of a single_predicate). An input for expressions gives match::Value::everything, and their value
// matcher says by needs() which parts they name.
#pragma once

#include <memory>

#include "source/config/match_place.h"
#include "source/config/services.h"
#include "source/match/tree.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace sluice::config {

// Null after an error. `context` stands at the matcher.
std::shared_ptr<const match::Matcher> compileMatcher(const ::xds::type::matcher::v3::Matcher& matcher,
                                                     const MatchPlace& place, const FactoryContext& context);

}  // namespace sluice::config
