// What a bounded script has in place of LuaJIT's own functions: those that could go on for long, or deep, inside of one
// instruction. They are counted as the instructions of the script are.
// Thread: that of the machine.
#pragma once

struct lua_State;

namespace sluice::extensions::http_filters::lua {

// In a protected call.
void registerLibrary(lua_State* state);

}  // namespace sluice::extensions::http_filters::lua
