#pragma once

// The hash policy of a route.

#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/route/hash_policy.h"

namespace sluice::config {

// The list stands in field "hash_policy" of the message at `context`.
route::HashPolicy compileHashPolicy(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction::HashPolicy>& protos,
    const Context& context, Regexes& regexes);

}  // namespace sluice::config
