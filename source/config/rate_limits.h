#pragma once

// Rate limits of routes, virtual hosts and filters, and the matchers of headers and query parameters, which they share
// with routes.

#include "envoy/config/route/v3/route_components.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

#include "source/config/errors.h"
#include "source/config/rate_limit_extensions.h"
#include "source/config/route_texts.h"
#include "source/route/rate_limits.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

match::HeaderMatcher compileHeaderMatcher(const envoy::config::route::v3::HeaderMatcher& config, const Context& context,
                                          Regexes& regexes);

match::QueryMatcher compileQueryMatcher(const envoy::config::route::v3::QueryParameterMatcher& config,
                                        const Context& context, Regexes& regexes);

// The list stands in field `field` of the message at `context`. `snapshot`: null where no runtime layers are known.
// `compile_input` as of compileDescriptorExtension().
route::RateLimitList compileRateLimits(
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RateLimit>& protos, std::string_view field,
    const Context& context, Regexes& regexes, const runtime::Snapshot* snapshot,
    const CompileMatchInput& compile_input);

}  // namespace sluice::config
