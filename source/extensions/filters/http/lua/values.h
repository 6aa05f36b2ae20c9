// Metadata as tables of Lua, and back. In a protected call.
#pragma once

#include <cstddef>
#include <string>

#include "source/stream/metadata.h"

struct lua_State;

namespace sluice::extensions::http_filters::lua {

void pushValue(lua_State* state, const stream::MetadataValue& value);
void pushFields(lua_State* state, const stream::MetadataFields& fields);

// What stands at `index`. False if it cannot be metadata (a function, a table in itself, mixed keys, 1 MiB and more):
// `fault` says why. `size`: bytes that it takes, about.
bool readValue(lua_State* state, int index, stream::MetadataValue& out, std::string& fault, size_t& size);

}  // namespace sluice::extensions::http_filters::lua
