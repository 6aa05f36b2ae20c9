// What a script calls: the objects of Envoy's stream handle API.
//
// An object belongs to one run and names it by number; another run, or a later one, that uses it gets an error.
// Thread: that of the machine.
#pragma once

#include <cstdint>
#include <string_view>

struct lua_State;

namespace sluice::extensions::http_filters::lua {

class Run;

enum class Kind : uint8_t {
  kHandle,
  kHeaders,
  kTrailers,
  kBuffer,
  kMetadata,  // of the route
  kVirtualHostMetadata,
  kFilterContext,
  kStreamInfo,
  kDynamicMetadata,
  kFilterState,
  kConnection,
  kTls,
  kRoute,
  kVirtualHost,
  kCount,
};

// In a protected call.
void registerBindings(lua_State* state);
// Pushes an object of a run. In a protected call.
void pushObject(lua_State* state, Kind kind, uint64_t run);

// --- for the files of this folder

// Argument 1 is an object of that kind and of the run that runs; an error of the script otherwise.
Run& runOf(lua_State* state, Kind kind);
// Counts what a run puts into its stream; an error of the script beyond its bound of memory.
void give(lua_State* state, Run& run, size_t bytes);
bool mayGive(lua_State* state, const Run& run, size_t bytes);
std::string_view textAt(lua_State* state, int index);
void pushText(lua_State* state, std::string_view text);

void registerHandle(lua_State* state);
void registerHeaders(lua_State* state);
void registerFacts(lua_State* state);
// Makes the type of an object; `functions` end with a null name.
struct Function {
  const char* name;
  int (*function)(lua_State*);
};
void registerType(lua_State* state, Kind kind, const Function* functions);

}  // namespace sluice::extensions::http_filters::lua
