#pragma once

#include "source/config/extensions.h"

namespace sluice::extensions {

// Every extension of this program, one line each: given to all three mains, so that validating is the proxy's own code.
void registerAll(config::Registry& registry);

}  // namespace sluice::extensions
