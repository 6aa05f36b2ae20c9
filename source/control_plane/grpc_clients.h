// What gRPC's own clients cannot use of the resources that an API listener leads to. They take configuration for
// granted that a proxy does without, and refuse a resource, or fail every call, where a proxy serves.
#pragma once

#include <vector>

#include "source/control_plane/intent_file.h"

namespace sluice::control_plane {

// A warning for each such thing, at the resource that has it. Facts: the clients of grpc C++ 1.51 and grpc-js-xds 1.14.
void warnForGrpcClients(const std::vector<IntentFilePtr>& files, config::ErrorList& errors);

}  // namespace sluice::control_plane
