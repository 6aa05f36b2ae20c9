#include "source/extensions/filters/http/lua/library.h"

#include <algorithm>
#include <cstring>
#include <luajit-2.1/lua.hpp>
#include <string_view>

#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/patterns.h"

namespace sluice::extensions::http_filters::lua {
namespace {

void spend(void* state, size_t steps) {
  machineOf(static_cast<lua_State*>(state)).spend(static_cast<lua_State*>(state), steps);
}

// --- find, match, gmatch, gsub

void checkFault(lua_State* state, const Matcher& matcher) {
  if (matcher.fault() != nullptr) luaL_error(state, "%s", matcher.fault());
}

// Capture `i` of a match; the whole match if the pattern has none.
std::string_view captured(lua_State* state, const Matcher& matcher, int i, std::string_view whole) {
  if (i >= matcher.captures()) {
    if (i != 0) luaL_error(state, "invalid capture index");
    return whole;
  }
  const Matcher::Capture& capture = matcher.capture(i);
  if (capture.length == Matcher::Capture::kOpen) luaL_error(state, "unfinished capture");
  return {capture.begin, static_cast<size_t>(std::max<ptrdiff_t>(capture.length, 0))};
}

void pushCapture(lua_State* state, const Matcher& matcher, int i, std::string_view whole) {
  const std::string_view text = captured(state, matcher, i, whole);
  if (i < matcher.captures() && matcher.capture(i).length == Matcher::Capture::kPosition) {
    lua_pushinteger(state, text.data() - matcher.begin() + 1);
  } else {
    pushText(state, text);
  }
}

// Gives how many.
int pushCaptures(lua_State* state, const Matcher& matcher, int count, std::string_view whole) {
  luaL_checkstack(state, count, "too many captures");
  for (int i = 0; i < count; ++i) pushCapture(state, matcher, i, whole);
  return count;
}

// The first `text` in `where`; npos: there is none. In pieces, between which the steps are counted.
size_t findText(lua_State* state, std::string_view where, std::string_view text) {
  const size_t piece = std::max<size_t>(16 * 1024, text.size());
  for (size_t at = 0; text.size() <= where.size() - at;) {
    const size_t size = std::min(where.size() - at, piece + text.size() - 1);
    const char* const from = where.data() + at;
    const auto* const found = static_cast<const char*>(memmem(from, size, text.data(), text.size()));
    spend(state, ((found != nullptr ? found : from + size) - from) / 16);
    if (found != nullptr) return found - where.data();
    at += size - text.size() + 1;
  }
  return std::string_view::npos;
}

// What of a text is looked through: argument 3 is where to begin, counted from the end if it is negative.
size_t startOf(lua_State* state, size_t size) {
  const lua_Integer start = luaL_optinteger(state, 3, 1);
  const auto end = static_cast<lua_Integer>(size);
  return static_cast<size_t>(std::clamp<lua_Integer>(start < 0 ? start + end : start - 1, 0, end));
}

template <bool kFind>
int search(lua_State* state) {
  const std::string_view text = textAt(state, 1), pattern = textAt(state, 2);
  const size_t start = startOf(state, text.size());
  if (kFind && (lua_toboolean(state, 4) != 0 || isPlain(pattern))) {
    const size_t found = findText(state, text.substr(start), pattern);
    if (found == std::string_view::npos) {
      lua_pushnil(state);
      return 1;
    }
    lua_pushinteger(state, static_cast<lua_Integer>(start + found + 1));
    lua_pushinteger(state, static_cast<lua_Integer>(start + found + pattern.size()));
    return 2;
  }
  const bool anchored = pattern.starts_with('^');
  Matcher matcher(text, pattern.data() + anchored, spend, state);
  const char* from = text.data() + start;
  const char* const to = anchored ? matcher.match(from) : matcher.search(from);
  checkFault(state, matcher);
  matcher.settle();
  if (to == nullptr) {
    lua_pushnil(state);
    return 1;
  }
  if (!kFind) return pushCaptures(state, matcher, std::max(matcher.captures(), 1), {from, to});
  lua_pushinteger(state, from - text.data() + 1);
  lua_pushinteger(state, to - text.data());
  return 2 + pushCaptures(state, matcher, matcher.captures(), {});
}

// Its upvalues: the text, the pattern, and where to go on.
int nextMatch(lua_State* state) {
  size_t size = 0;
  const char* const text = lua_tolstring(state, lua_upvalueindex(1), &size);
  const auto start = static_cast<size_t>(lua_tointeger(state, lua_upvalueindex(3)));
  if (start > size) return 0;
  Matcher matcher({text, size}, lua_tostring(state, lua_upvalueindex(2)), spend, state);
  const char* from = text + start;
  const char* const to = matcher.search(from);
  checkFault(state, matcher);
  matcher.settle();
  if (to == nullptr) {
    lua_pushinteger(state, static_cast<lua_Integer>(size + 1));
    lua_replace(state, lua_upvalueindex(3));
    return 0;
  }
  lua_pushinteger(state, to - text + (to == from));  // behind an empty match, too
  lua_replace(state, lua_upvalueindex(3));
  return pushCaptures(state, matcher, std::max(matcher.captures(), 1), {from, to});
}

int gmatch(lua_State* state) {
  textAt(state, 1);
  textAt(state, 2);
  lua_settop(state, 2);
  lua_pushinteger(state, 0);
  lua_pushcclosure(state, nextMatch, 3);
  return 1;
}

// Argument 3 in the place of a match, with %0 to %9.
void addText(lua_State* state, luaL_Buffer& out, const Matcher& matcher, std::string_view whole) {
  size_t size = 0;
  const char* at = lua_tolstring(state, 3, &size);
  const char* const end = at + size;
  spend(state, size / 16);
  while (true) {
    const auto* const percent = static_cast<const char*>(std::memchr(at, '%', end - at));
    luaL_addlstring(&out, at, (percent != nullptr ? percent : end) - at);
    if (percent == nullptr) return;
    const char c = percent[1];  // NUL at the end, which LuaJIT puts there as well
    if (c < '0' || c > '9') {
      luaL_addchar(&out, c);
    } else if (c == '0') {
      luaL_addlstring(&out, whole.data(), whole.size());
    } else {
      pushCapture(state, matcher, c - '1', whole);
      luaL_addvalue(&out);
    }
    spend(state, 1);
    at = percent + 2;
    if (at > end) return;
  }
}

// What a function or table has in the place of a match.
void addResult(lua_State* state, luaL_Buffer& out, const Matcher& matcher, std::string_view whole) {
  if (lua_isfunction(state, 3)) {
    lua_pushvalue(state, 3);
    lua_call(state, pushCaptures(state, matcher, std::max(matcher.captures(), 1), whole), 1);
  } else {
    pushCapture(state, matcher, 0, whole);
    lua_gettable(state, 3);
  }
  if (lua_toboolean(state, -1) == 0) {
    lua_pop(state, 1);
    pushText(state, whole);
  } else if (lua_isstring(state, -1) == 0) {
    luaL_error(state, "invalid replacement value (a %s)", luaL_typename(state, -1));
  }
  luaL_addvalue(&out);
}

int gsub(lua_State* state) {
  machineOf(state).checkNesting(state);
  const std::string_view text = textAt(state, 1), pattern = textAt(state, 2);
  const int type = lua_type(state, 3);
  const int most = static_cast<int>(luaL_optinteger(state, 4, static_cast<lua_Integer>(text.size() + 1)));
  const bool by_text = type == LUA_TNUMBER || type == LUA_TSTRING;
  luaL_argcheck(state, by_text || type == LUA_TFUNCTION || type == LUA_TTABLE, 3, "string/function/table expected");
  const bool anchored = pattern.starts_with('^');
  Matcher matcher(text, pattern.data() + anchored, spend, state);
  luaL_Buffer out;
  luaL_buffinit(state, &out);
  const char* copied = text.data();
  int count = 0;
  for (const char* from = copied; count < most && from <= matcher.end();) {
    const char* const to = anchored ? matcher.match(from) : matcher.search(from);
    checkFault(state, matcher);
    if (to == nullptr) break;
    ++count;
    luaL_addlstring(&out, copied, from - copied);
    const std::string_view whole(from, to);
    by_text ? addText(state, out, matcher, whole) : addResult(state, out, matcher, whole);
    copied = to;
    from = to > from ? to : from + 1;
    if (anchored) break;
  }
  matcher.settle();
  luaL_addlstring(&out, copied, matcher.end() - copied);
  luaL_pushresult(&out);
  lua_pushinteger(state, count);
  return 2;
}

// --- others, most of which are called when their work is paid for

int call(lua_State* state) {
  return lua_tocfunction(state, lua_upvalueindex(1))(state);
}

int format(lua_State* state) {
  spend(state, 64 * static_cast<size_t>(lua_gettop(state)) + lua_objlen(state, 1) / 16);
  return call(state);
}

int date(lua_State* state) {
  if (lua_type(state, 1) == LUA_TSTRING) {
    luaL_argcheck(state, lua_objlen(state, 1) <= 1024, 1, "the format is too long");
    spend(state, 16 * lua_objlen(state, 1));
  }
  return call(state);
}

// insert(table, position, value) moves what is behind, also if that is nothing, a long way.
int insert(lua_State* state) {
  if (lua_gettop(state) != 3 || !lua_istable(state, 1) || !lua_isnumber(state, 2)) return call(state);
  const int position = static_cast<int>(lua_tointeger(state, 2));
  for (int i = static_cast<int>(lua_objlen(state, 1)) + 1; i > position; --i) {
    lua_rawgeti(state, 1, i - 1);
    lua_rawseti(state, 1, i);
    spend(state, 1);
  }
  lua_rawseti(state, 1, position);
  return 0;
}

int concat(lua_State* state) {
  if (lua_istable(state, 1)) {
    const lua_Integer first = luaL_optinteger(state, 3, 1);
    const auto end = static_cast<lua_Integer>(lua_objlen(state, 1));
    const lua_Integer last = luaL_optinteger(state, 4, end);
    bool there = true;
    for (lua_Integer i = first; i <= last && there; ++i) {
      lua_rawgeti(state, 1, static_cast<int>(i));
      there = !lua_isnil(state, -1);
      lua_pop(state, 1);
      spend(state, 8);
    }
  }
  return call(state);
}

int checkNesting(lua_State* state) {
  machineOf(state).checkNesting(state);
  return 0;
}

constexpr Function kOwn[] = {{"find", search<true>}, {"match", search<false>}, {"gmatch", gmatch}, {"gsub", gsub}};
constexpr struct {
  const char* table;
  Function function;
} kPaid[] = {{"string", {"format", format}},
             {"os", {"date", date}},
             {"table", {"insert", insert}},
             {"table", {"concat", concat}}};

// A comparison is a call of the script, whose instructions are counted. A coroutine inside of a coroutine takes from
// the stack of the thread.
constexpr const char* kPrelude = R"lua(
local check_nesting = ...
local sort, wrap, resume, type, error = table.sort, coroutine.wrap, coroutine.resume, type, error

local function check(value, wanted, position, name)
  if type(value) == wanted then return end
  local got = value == nil and 'no value' or type(value)
  error(("bad argument #%d to '%s' (%s expected, got %s)"):format(position, name, wanted, got), 3)
end

function table.sort(list, before)
  check(list, 'table', 1, 'sort')
  if before == nil then
    sort(list, function(a, b) return a < b end)
  else
    check(before, 'function', 2, 'sort')
    sort(list, function(a, b) return before(a, b) end)
  end
end

function coroutine.wrap(f)
  check(f, 'function', 1, 'wrap')
  local go = wrap(f)
  return function(...)
    check_nesting()
    return go(...)
  end
end

function coroutine.resume(...)
  check_nesting()
  return resume(...)
end
)lua";

}  // namespace

void registerLibrary(lua_State* state) {
  lua_getglobal(state, "string");
  for (const Function& each : kOwn) {
    lua_pushcfunction(state, each.function);
    lua_setfield(state, -2, each.name);
  }
  lua_pop(state, 1);
  for (const auto& [table, each] : kPaid) {
    lua_getglobal(state, table);
    lua_getfield(state, -1, each.name);
    lua_pushcclosure(state, each.function, 1);
    lua_setfield(state, -2, each.name);
    lua_pop(state, 1);
  }
  if (luaL_loadbuffer(state, kPrelude, std::strlen(kPrelude), "=library") != 0) lua_error(state);
  lua_pushcfunction(state, checkNesting);
  lua_call(state, 1, 0);
}

}  // namespace sluice::extensions::http_filters::lua
