// The matcher of a virtual host: a tree whose actions are routes. (proto: VirtualHost.matcher)
// Thread: main. Run after validate().
#pragma once

#include <functional>

#include "envoy/config/route/v3/route_components.pb.h"
#include "source/config/errors.h"
#include "source/config/route_compiler.h"
#include "source/route/spec.h"

namespace sluice::config {

// Adds one route of the host to its spec; `context` stands at the route.
using AddRoute = std::function<void(const envoy::config::route::v3::Route& route, const Context& context)>;

// The tree of `out`, whose routes `add` adds. `context` stands at the virtual host, which has a matcher.
void compileRouteTree(const envoy::config::route::v3::VirtualHost& host, const Context& context,
                      const CompileMatcher& compile, const AddRoute& add, route::VirtualHostSpec& out);

}  // namespace sluice::config
