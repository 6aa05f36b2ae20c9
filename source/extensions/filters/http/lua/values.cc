#include "source/extensions/filters/http/lua/values.h"

#include <luajit-2.1/lua.hpp>
#include <string_view>

#include "source/extensions/filters/http/lua/bindings.h"

namespace sluice::extensions::http_filters::lua {
namespace {

constexpr int kMostDeep = 32;

bool readAt(lua_State* state, int index, stream::MetadataValue& out, std::string& fault, int depth);

// A table whose keys are 1 to n is a list; one whose keys are text is a structure.
bool readTable(lua_State* state, int index, stream::MetadataValue& out, std::string& fault, int depth) {
  if (depth >= kMostDeep || lua_checkstack(state, 4) == 0) {
    fault = "a table is nested too deep, or stands in itself";
    return false;
  }
  const size_t length = lua_objlen(state, index);
  stream::MetadataList list;
  stream::MetadataFields fields;
  for (lua_pushnil(state); lua_next(state, index) != 0; lua_pop(state, 1)) {
    stream::MetadataValue value;
    if (!readAt(state, lua_gettop(state), value, fault, depth + 1)) return false;
    if (lua_type(state, -2) == LUA_TSTRING) {
      size_t size = 0;
      const char* const name = lua_tolstring(state, -2, &size);
      fields.push_back({std::string(name, size), std::move(value)});
    } else if (lua_type(state, -2) == LUA_TNUMBER && length > 0) {
      list.push_back(std::move(value));
    } else {
      fault = "the keys of a table must be text, or 1 to n";
      return false;
    }
  }
  if (!list.empty() && (!fields.empty() || list.size() != length)) {
    fault = "the keys of a table must be text, or 1 to n";
    return false;
  }
  if (list.empty()) {
    out.value = std::move(fields);
    return true;
  }
  list.clear();  // in their order
  for (size_t i = 1; i <= length; ++i) {
    lua_rawgeti(state, index, static_cast<int>(i));
    const bool good = readAt(state, lua_gettop(state), list.emplace_back(), fault, depth + 1);
    lua_pop(state, 1);
    if (!good) return false;
  }
  out.value = std::move(list);
  return true;
}

bool readAt(lua_State* state, int index, stream::MetadataValue& out, std::string& fault, int depth) {
  switch (lua_type(state, index)) {
    case LUA_TNIL:
      return true;
    case LUA_TBOOLEAN:
      out.value = lua_toboolean(state, index) != 0;
      return true;
    case LUA_TNUMBER:
      out.value = lua_tonumber(state, index);
      return true;
    case LUA_TSTRING: {
      size_t size = 0;
      const char* const text = lua_tolstring(state, index, &size);
      out.value = std::string(text, size);
      return true;
    }
    case LUA_TTABLE:
      return readTable(state, index, out, fault, depth);
    default:
      fault = std::string("a ") + luaL_typename(state, index) + " is no metadata";
      return false;
  }
}

struct Push {
  lua_State* state;
  void operator()(std::monostate) const { lua_pushnil(state); }
  void operator()(bool value) const { lua_pushboolean(state, value); }
  void operator()(double value) const { lua_pushnumber(state, value); }
  void operator()(const std::string& value) const { pushText(state, value); }
  void operator()(const stream::MetadataList& list) const {
    lua_createtable(state, static_cast<int>(list.size()), 0);
    for (size_t i = 0; i < list.size(); ++i) {
      pushValue(state, list[i]);
      lua_rawseti(state, -2, static_cast<int>(i + 1));
    }
  }
  void operator()(const stream::MetadataFields& fields) const { pushFields(state, fields); }
};

}  // namespace

void pushValue(lua_State* state, const stream::MetadataValue& value) {
  luaL_checkstack(state, 4, "metadata is nested too deep");
  std::visit(Push{state}, value.value);
}

void pushFields(lua_State* state, const stream::MetadataFields& fields) {
  lua_createtable(state, 0, static_cast<int>(fields.size()));
  for (const stream::MetadataField& field : fields) {
    pushText(state, field.name);
    pushValue(state, field.value);
    lua_rawset(state, -3);
  }
}

bool readValue(lua_State* state, int index, stream::MetadataValue& out, std::string& fault) {
  return readAt(state, index, out, fault, 0);
}

}  // namespace sluice::extensions::http_filters::lua
