#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::matching::inputs::cel {

// xds.type.matcher.v3.HttpAttributesCelMatchInput.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::matching::inputs::cel
