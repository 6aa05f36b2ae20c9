#include "source/extensions/filters/http/lua/patterns.h"

#include <cstdint>
#include <cstdlib>
#include <luajit-2.1/lua.hpp>
#include <string>

namespace {

using sluice::extensions::http_filters::lua::Matcher;

// Of the first match: "begin end capture ...", or what is wrong.
std::string ours(std::string_view text, const char* pattern, bool anchored, bool& long_one) {
  size_t steps = 0;
  const auto count = [](void* steps, size_t more) { *static_cast<size_t*>(steps) += more; };
  Matcher matcher(text, pattern + anchored, count, &steps);
  const char* from = text.data();
  const char* const to = anchored ? matcher.match(from) : matcher.search(from);
  matcher.settle();
  long_one = steps > 100'000;
  if (matcher.fault() != nullptr) return matcher.fault();
  if (to == nullptr) return "none";
  std::string all = std::to_string(from - text.data() + 1) + " " + std::to_string(to - text.data());
  for (int i = 0; i < matcher.captures(); ++i) {
    const Matcher::Capture& capture = matcher.capture(i);
    if (capture.length == Matcher::Capture::kOpen) return "unfinished capture";
    all += capture.length == Matcher::Capture::kPosition ? " " + std::to_string(capture.begin - text.data() + 1)
                                                         : " " + std::string(capture.begin, capture.length);
  }
  return all;
}

std::string theirs(lua_State* state, std::string_view text, std::string_view pattern) {
  lua_settop(state, 0);
  lua_getglobal(state, "string");
  lua_getfield(state, -1, "find");
  lua_remove(state, 1);
  lua_pushlstring(state, text.data(), text.size());
  lua_pushlstring(state, pattern.data(), pattern.size());
  const bool good = lua_pcall(state, 2, LUA_MULTRET, 0) == 0;
  if (good && lua_isnil(state, 1)) return "none";
  std::string all;
  for (int i = 1; i <= lua_gettop(state); ++i) {
    size_t size = 0;
    const char* const value = lua_tolstring(state, i, &size);
    if (i > 1) all += " ";
    all.append(value, size);
  }
  return all;
}

}  // namespace

// The first byte says how much of the rest is the pattern. A match is LuaJIT's, and so is what it says of the pattern.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 64) return 0;
  static lua_State* const state = [] {
    lua_State* const made = luaL_newstate();
    luaL_openlibs(made);
    return made;
  }();
  const std::string all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string pattern = all.substr(0, *data), text = all.substr(pattern.size());
  bool long_one = false;
  const std::string own = ours(text, pattern.c_str(), pattern.starts_with('^'), long_one);
  if (long_one || sluice::extensions::http_filters::lua::isPlain(pattern)) return 0;
  if (own != theirs(state, text, pattern)) std::abort();
  return 0;
}
