#include "source/extensions/filters/http/lua/bindings.h"

#include <algorithm>
#include <luajit-2.1/lua.hpp>
#include <string>

#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/run.h"

namespace sluice::extensions::http_filters::lua {
namespace {

struct Object {
  uint64_t run;
  Kind kind;
};

constexpr size_t kLongestLine = 64 * 1024;  // of print(); one text may stand in it many times

constexpr const char* kTypes[] = {
    "handle",         "headers",     "trailers",         "buffer",       "metadata",   "virtual_metadata",
    "filter_context", "stream_info", "dynamic_metadata", "filter_state", "connection", "tls",
    "route",          "virtual_host"};
static_assert(std::size(kTypes) == static_cast<size_t>(Kind::kCount));

// What waits is said here: a C function cannot go on behind a wait, but what called it can.
constexpr const char* kPrelude = R"(
local raw, wait = ...
local handle, raw_pairs = raw.handle, pairs

function handle:body(always)
  if raw.awaitsBody(self) then wait() end
  return raw.takeBody(self, always)
end

function handle:bodyChunks()
  raw.beginChunks(self)
  return function()
    if raw.awaitsChunk(self) then wait() end
    return raw.takeChunk(self)
  end
end

function handle:trailers()
  if raw.awaitsTrailers(self) then wait() end
  return raw.takeTrailers(self)
end

function handle:httpCall(...)
  if not raw.call(self, ...) then return end
  wait()
  return raw.takeAnswer(self)
end

function handle:respond(...)
  raw.respond(self, ...)
  wait()
end

function handle:importPublicKey(...)
  local key = raw.publicKey(self, ...)
  return {get = function() return key end}
end

function pairs(object)
  if type(object) ~= 'userdata' then return raw_pairs(object) end
  local list, at = object:_list(), -1
  return function()
    at = at + 2
    if list[at] ~= nil then return list[at], list[at + 1] end
  end
end

print = raw.print
)";

int wait(lua_State* state) {
  return lua_yield(state, 0);
}

int print(lua_State* state) {
  const int count = lua_gettop(state);
  std::string line;
  for (int i = 1; i <= count; ++i) {
    if (i > 1) line += '\t';
    const std::string_view text = lua_isstring(state, i) ? textAt(state, i) : luaL_typename(state, i);
    line += text.substr(0, kLongestLine - std::min(line.size(), kLongestLine));
  }
  machineOf(state).print(line);
  return 0;
}

}  // namespace

void pushObject(lua_State* state, Kind kind, uint64_t run) {
  auto* const object = static_cast<Object*>(lua_newuserdata(state, sizeof(Object)));
  *object = {run, kind};
  luaL_getmetatable(state, kTypes[static_cast<size_t>(kind)]);
  lua_setmetatable(state, -2);
}

Run& runOf(lua_State* state, Kind kind) {
  const auto* const object = static_cast<const Object*>(luaL_checkudata(state, 1, kTypes[static_cast<size_t>(kind)]));
  Run* const run = machineOf(state).current();
  if (run == nullptr || run->id != object->run) {
    luaL_error(state, "object used outside of the call that it belongs to");
  }
  return *run;
}

bool mayGive(lua_State* state, const Run& run, size_t bytes) {
  const size_t bound = machineOf(state).limits().memory;
  return run.given <= bound && bytes <= bound - run.given;
}

void give(lua_State* state, Run& run, size_t bytes) {
  if (!mayGive(state, run, bytes)) luaL_error(state, "the script puts more into the stream than it may have memory");
  run.given += bytes;
}

std::string_view textAt(lua_State* state, int index) {
  size_t size = 0;
  const char* const text = luaL_checklstring(state, index, &size);
  return {text, size};
}

void pushText(lua_State* state, std::string_view text) {
  lua_pushlstring(state, text.data(), text.size());
}

void registerType(lua_State* state, Kind kind, const Function* functions) {
  luaL_newmetatable(state, kTypes[static_cast<size_t>(kind)]);
  lua_newtable(state);
  for (; functions->name != nullptr; ++functions) {
    lua_pushcfunction(state, functions->function);
    lua_setfield(state, -2, functions->name);
  }
  lua_setfield(state, -2, "__index");
  lua_pushliteral(state, "an object of the proxy");
  lua_setfield(state, -2, "__metatable");
  lua_pop(state, 1);
}

void registerBindings(lua_State* state) {
  registerHandle(state);
  registerHeaders(state);
  registerFacts(state);
  if (luaL_loadstring(state, kPrelude) != 0) lua_error(state);
  lua_getfield(state, LUA_REGISTRYINDEX, "raw");
  lua_pushcfunction(state, print);
  lua_setfield(state, -2, "print");
  luaL_getmetatable(state, kTypes[static_cast<size_t>(Kind::kHandle)]);
  lua_getfield(state, -1, "__index");
  lua_setfield(state, -3, "handle");
  lua_pop(state, 1);
  lua_pushcfunction(state, wait);
  lua_call(state, 2, 0);
}

}  // namespace sluice::extensions::http_filters::lua
