#pragma once

#include "source/config/registry.h"

namespace sluice::extensions::http_filters::lua {

// envoy.extensions.filters.http.lua.v3.Lua and sluice.extensions.filters.http.lua.v1.Lua.
void registerFactory(config::Registry& registry);

}  // namespace sluice::extensions::http_filters::lua
