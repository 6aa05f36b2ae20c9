#pragma once

// What a route matches on, and the rewrite that goes with a template of its path.
// Thread: main. Run after validate(). Errors go to `context`.

#include <optional>

#include "envoy/config/route/v3/route_components.pb.h"

#include "source/config/errors.h"
#include "source/config/route_texts.h"
#include "source/route/spec.h"
#include "source/runtime/snapshot.h"

namespace sluice::config {

// The parts of `out` that are its match. `context` stands at the route. `snapshot`: of the runtime; null: not known.
void compileRouteMatch(const envoy::config::route::v3::Route& config, const Context& context, Regexes& regexes,
                       const runtime::Snapshot* snapshot, route::RouteSpec& out);

// The route's `path_rewrite_policy`; nullopt: it has none, or after an error. `context` stands at the route.
std::optional<route::RegexRewrite> compilePathRewritePolicy(const envoy::config::route::v3::Route& config,
                                                            const Context& context);

}  // namespace sluice::config
