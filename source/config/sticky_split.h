#pragma once

// sluice.route.v1.StickySplit, where a route names what chooses its cluster. Thread: main. Run after validate().

#include <memory>

#include "sluice/route/v1/sticky_split.pb.h"

#include "source/config/errors.h"
#include "source/route/sticky_split.h"

namespace sluice::config {

// Who the users are. The shares are the route's to compile. Null after reporting.
std::shared_ptr<const route::StickySplit> compileStickySplit(const route::v1::StickySplit& config,
                                                             const Context& context);

}  // namespace sluice::config
