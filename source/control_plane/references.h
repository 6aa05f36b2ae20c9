// What a resource names: routes and TCP proxies name clusters, connection managers name route tables, clusters name
// endpoints, route tables name filters of the chains that use them.
#pragma once

#include <vector>

#include "google/protobuf/message.h"
#include "source/config/errors.h"
#include "source/control_plane/intent_file.h"

namespace sluice::control_plane {

// References: those that this control plane has to serve (`ours`) or may serve; what comes from a file is not ours to
// know. Looks into every Any of a linked type.
Relations relationsOf(const google::protobuf::Message& resource, const config::Context& context);

}  // namespace sluice::control_plane
