#pragma once

#include "source/config/registry.h"

namespace sluice::extensions {

// Every extension of this program, written from the folders that there are (extensions.bzl): given to all three mains,
// so that validating is the proxy's own code.
void registerAll(config::Registry& registry);

}  // namespace sluice::extensions
