// Words for what routes ask and do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/explain/explanation.h"
#include "source/route/hash_policy.h"
#include "source/route/mutation.h"
#include "source/route/retry_policy.h"
#include "source/route/route.h"
#include "source/stream/format_context.h"

namespace sluice::explain {

// "route 'r'", or "route" without a name.
std::string quoted(std::string_view what, std::string_view name);

// The value of a header, unless it may be a credential by its name.
std::string shownValue(const std::string& name, const std::string& value);

// "prefix /api, header x-beta".
std::string describeMatch(const route::RouteMatcher& matcher);

// The first condition that does not hold; one of them does not.
std::string failedOf(const route::Conditions& asked, const route::RequestView& view);

// Adds them with their values for `context`; those of credentials are redacted.
void describeChanges(const route::HeaderMutations& changes, const std::string& source,
                     const stream::FormatContext& context, std::vector<HeaderChange>& out);

RetryPart describeRetries(const route::RetryPolicy& policy);

std::string describeTerm(const route::HashTerm& term);

}  // namespace sluice::explain
