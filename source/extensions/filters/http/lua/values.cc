#include "source/extensions/filters/http/lua/values.h"

#include <luajit-2.1/lua.hpp>
#include <utility>

#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"

namespace sluice::extensions::http_filters::lua {
namespace {

constexpr int kMostDeep = 32;
constexpr size_t kLargest = 1024 * 1024;  // bytes
constexpr uint64_t kStepsOfEach = 16;     // value that becomes one of Lua
constexpr const char* kMixed = "the keys of a table must be text, or 1 to n";

// A table may stand in others many times, and each time is a copy: `size_` is what bounds them.
class Reader {
 public:
  Reader(lua_State* state, std::string& fault) : state_(state), fault_(fault) {}

  bool read(int index, stream::MetadataValue& out, int depth = 0);
  size_t size() const { return size_; }

 private:
  bool readTable(int index, stream::MetadataValue& out, int depth);
  bool readList(int index, size_t length, stream::MetadataList& out, int depth);
  bool readFields(int index, stream::MetadataFields& out, int depth);
  size_t entriesOf(int index);
  bool take(size_t bytes) {
    size_ += bytes;
    return size_ <= kLargest || fail("the value is too large for metadata");
  }
  bool fail(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  lua_State* const state_;
  std::string& fault_;
  size_t size_ = 0;
};

size_t Reader::entriesOf(int index) {
  size_t entries = 0;
  for (lua_pushnil(state_); lua_next(state_, index) != 0; lua_pop(state_, 1)) ++entries;
  return entries;
}

// A table whose keys are 1 to n is a list; one whose keys are text is a structure.
bool Reader::readTable(int index, stream::MetadataValue& out, int depth) {
  if (depth >= kMostDeep || lua_checkstack(state_, 4) == 0) {
    return fail("a table is nested too deep, or stands in itself");
  }
  if (const size_t length = lua_objlen(state_, index); length > 0) {
    if (entriesOf(index) != length) return fail(kMixed);
    return readList(index, length, out.value.emplace<stream::MetadataList>(), depth);
  }
  return readFields(index, out.value.emplace<stream::MetadataFields>(), depth);
}

bool Reader::readList(int index, size_t length, stream::MetadataList& out, int depth) {
  for (size_t i = 1; i <= length; ++i) {
    lua_rawgeti(state_, index, static_cast<int>(i));
    if (lua_isnil(state_, -1)) return fail(kMixed);
    if (!read(lua_gettop(state_), out.emplace_back(), depth + 1)) return false;
    lua_pop(state_, 1);
  }
  return true;
}

bool Reader::readFields(int index, stream::MetadataFields& out, int depth) {
  for (lua_pushnil(state_); lua_next(state_, index) != 0; lua_pop(state_, 1)) {
    if (lua_type(state_, -2) != LUA_TSTRING) return fail(kMixed);
    size_t size = 0;
    const char* const name = lua_tolstring(state_, -2, &size);
    if (!take(size)) return false;
    stream::MetadataField& field = out.emplace_back();
    field.name.assign(name, size);
    if (!read(lua_gettop(state_), field.value, depth + 1)) return false;
  }
  return true;
}

bool Reader::read(int index, stream::MetadataValue& out, int depth) {
  if (!take(sizeof(stream::MetadataField))) return false;
  switch (lua_type(state_, index)) {
    case LUA_TNIL:
      return true;
    case LUA_TBOOLEAN:
      out.value = lua_toboolean(state_, index) != 0;
      return true;
    case LUA_TNUMBER:
      out.value = lua_tonumber(state_, index);
      return true;
    case LUA_TSTRING: {
      size_t size = 0;
      const char* const text = lua_tolstring(state_, index, &size);
      if (!take(size)) return false;
      out.value = std::string(text, size);
      return true;
    }
    case LUA_TTABLE:
      return readTable(index, out, depth);
    default:
      return fail(std::string("a ") + luaL_typename(state_, index) + " is no metadata");
  }
}

struct Push {
  lua_State* state;
  void operator()(std::monostate) const { lua_pushnil(state); }
  void operator()(bool value) const { lua_pushboolean(state, value); }
  void operator()(double value) const { lua_pushnumber(state, value); }
  void operator()(const std::string& value) const { pushText(state, value); }
  void operator()(const stream::MetadataList& list) const {
    machineOf(state).spend(state, kStepsOfEach * list.size());
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
  machineOf(state).spend(state, kStepsOfEach * fields.size());
  lua_createtable(state, 0, static_cast<int>(fields.size()));
  for (const stream::MetadataField& field : fields) {
    pushText(state, field.name);
    pushValue(state, field.value);
    lua_rawset(state, -3);
  }
}

bool readValue(lua_State* state, int index, stream::MetadataValue& out, std::string& fault, size_t& size) {
  Reader reader(state, fault);
  const bool good = reader.read(index, out);
  size = reader.size();
  return good;
}

}  // namespace sluice::extensions::http_filters::lua
