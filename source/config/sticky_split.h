#pragma once

// sluice.route.v1.StickySplit, where a route names what chooses its cluster. Thread: main. Run after validate().

#include <memory>
#include <optional>

#include "envoy/config/route/v3/route_components.pb.h"
#include "sluice/route/v1/sticky_split.pb.h"

#include "source/config/errors.h"
#include "source/route/sticky_split.h"

namespace sluice::config {

// The message of a cluster specifier; nullopt after reporting to `context`, which stands at its `typed_config`.
std::optional<route::v1::StickySplit> stickySplitOf(const envoy::config::route::v3::ClusterSpecifierPlugin& plugin,
                                                    const Context& context);

// Who the users are. The shares are the route's to compile. Null after reporting.
std::shared_ptr<const route::StickySplit> compileStickySplit(const route::v1::StickySplit& config,
                                                             const Context& context);

}  // namespace sluice::config
