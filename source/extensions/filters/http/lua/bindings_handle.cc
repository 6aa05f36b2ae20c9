// The stream handle itself.
#include <charconv>
#include <chrono>
#include <cmath>
#include <luajit-2.1/lua.hpp>
#include <string>

#include "absl/strings/escaping.h"
#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/run.h"
#include "source/extensions/filters/http/lua/signatures.h"
#include "source/filter/header_changes.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using observability::LogLevel;
using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr size_t kLargestHead = 1024 * 1024;  // bytes, of respond() and httpCall()
constexpr size_t kOfField = 32;               // beside its name and value
constexpr const char* kTooLarge = "the headers are more than 1 MiB";
constexpr const char* kNoText = "a header has a value that is no valid text";

// --- what a script waits for

int awaitsBody(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  if (run.streams) return luaL_error(state, "body() cannot be called behind bodyChunks()");
  if (run.head_gone && !run.whole) return luaL_error(state, "body() comes too late: the headers have gone on");
  const bool waits = !run.whole && !run.body_ended && !run.tunnel;
  if (waits) run.wait = Run::Wait::kBody;
  lua_pushboolean(state, waits);
  return 1;
}

int takeBody(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const bool empty = !run.piece || run.piece->empty();
  if (empty && !lua_toboolean(state, 2)) {
    lua_pushnil(state);
    return 1;
  }
  if (!run.piece) {
    run.piece = std::string_view();
    run.whole = true;
  }
  pushObject(state, Kind::kBuffer, run.id);
  return 1;
}

int beginChunks(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  if (run.whole) return luaL_error(state, "bodyChunks() cannot be called behind body()");
  run.streams = true;
  return 0;
}

int awaitsChunk(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const bool waits = !run.body_ended;
  if (waits) run.wait = Run::Wait::kChunk;
  lua_pushboolean(state, waits);
  return 1;
}

int takeChunk(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  if (run.piece && !run.piece_taken) {
    run.piece_taken = true;
    pushObject(state, Kind::kBuffer, run.id);
  } else {
    lua_pushnil(state);
  }
  return 1;
}

int awaitsTrailers(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const bool waits = !run.trailers_here && !run.ended;
  if (waits) run.wait = Run::Wait::kTrailers;
  lua_pushboolean(state, waits);
  return 1;
}

int takeTrailers(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  run.trailers_here ? pushObject(state, Kind::kTrailers, run.id) : lua_pushnil(state);
  return 1;
}

int headers(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  pushObject(state, Kind::kHeaders, run.id);
  return 1;
}

// --- calls

// A table {name = value or list of values} at `index`. Raises no error while `out` is alive but for want of memory.
// One text of the script may be the value of many fields, and each is a copy: `size` bounds them.
const char* readFields(lua_State* state, int index, Fields& out, size_t& size) {
  for (lua_pushnil(state); lua_next(state, index) != 0; lua_pop(state, 1)) {
    if (lua_type(state, -2) != LUA_TSTRING) return "the names of headers must be strings";
    if (lua_objlen(state, -2) > kLargestHead) return kTooLarge;
    const std::string name = base::lowered(textAt(state, -2));
    if (name.empty() || (name[0] != ':' && !http::validLowerName(name))) return "a header has a name that is no token";
    const auto add = [&](int at) -> const char* {
      if (!lua_isstring(state, at) || lua_type(state, at) == LUA_TTABLE) return kNoText;
      lua_pushvalue(state, at);  // a number becomes text: not in the table itself
      const std::string_view text = textAt(state, -1);
      size += name.size() + text.size() + kOfField;
      if (size > kLargestHead) return kTooLarge;
      if (!http::validValue(text)) return kNoText;
      out.emplace_back(name, text);
      lua_pop(state, 1);
      return nullptr;
    };
    if (lua_istable(state, -1)) {
      const int list = lua_gettop(state);
      for (size_t i = 1; i <= lua_objlen(state, list); ++i) {
        lua_rawgeti(state, list, static_cast<int>(i));
        if (const char* const fault = add(lua_gettop(state))) return fault;
        lua_pop(state, 1);
      }
    } else if (const char* const fault = add(lua_gettop(state))) {
      return fault;
    }
  }
  return nullptr;
}

// call(handle, cluster, headers, body, timeout, asynchronous), or call(handle, cluster, headers, body, options)
const char* readCall(lua_State* state, filter::HttpCallRequest& request, bool& asynchronous, size_t& size) {
  request.cluster = textAt(state, 2);
  Fields fields;
  if (const char* const fault = readFields(state, 3, fields, size)) return fault;
  bool has_path = false, has_method = false;
  for (auto& [name, value] : fields) {
    if (name == ":path") {
      has_path = !value.empty() && value[0] == '/' && value.find_first_of(" #") == std::string::npos;
      request.path = value;
    } else if (name == ":method") {
      has_method = http::validMethod(value) && value != "CONNECT";
      request.method = value;
    } else if (name == ":authority") {
      request.authority = value;
    } else if (name[0] != ':' && !filter::isFraming(name)) {
      request.headers.emplace_back(name, std::move(value));
    }
  }
  if (!has_path || !has_method || !http::validAuthority(request.authority)) {
    return "the headers of httpCall() must have valid ':path', ':method' and ':authority'";
  }
  if (lua_isstring(state, 4)) request.body = textAt(state, 4);
  lua_Number timeout = 0;
  if (lua_istable(state, 5)) {
    // Raw: nothing of the script runs in here.
    lua_pushliteral(state, "timeout_ms");
    lua_rawget(state, 5);
    timeout = lua_tonumber(state, -1);
    lua_pushliteral(state, "asynchronous");
    lua_rawget(state, 5);
    asynchronous = lua_toboolean(state, -1) != 0;
    lua_pop(state, 2);
  } else {
    timeout = lua_tonumber(state, 5);
    asynchronous = lua_toboolean(state, 6) != 0;
  }
  if (!(timeout >= 0 && timeout <= 86'400'000)) return "the timeout of httpCall() must be 0 to 86400000 milliseconds";
  request.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout));
  return nullptr;
}

int call(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  textAt(state, 2);
  luaL_checktype(state, 3, LUA_TTABLE);
  bool asynchronous = false;
  const char* fault = nullptr;
  size_t size = 0;
  {
    filter::HttpCallRequest request;
    fault = readCall(state, request, asynchronous, size);
    const size_t all = size + request.body.size();
    if (fault == nullptr && asynchronous && !mayGive(state, run, all)) {
      fault = "what calls send is more than the script may have memory";
    } else if (fault == nullptr && asynchronous) {
      run.given += all;
      if (!run.context.calls().sendDetached(std::move(request))) fault = "too many calls are under way";
    } else if (fault == nullptr) {
      run.call = std::move(request);
      run.wait = Run::Wait::kCall;
    }
  }
  machineOf(state).spend(state, size / 8);
  if (fault != nullptr) return luaL_error(state, "%s", fault);
  lua_pushboolean(state, !asynchronous);
  return 1;
}

// A call that failed is told as an answer of 503, whose body says how.
int takeAnswer(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  if (!run.answer) return luaL_error(state, "there is no answer");
  const filter::HttpCallResponse& answer = *run.answer;
  lua_newtable(state);
  lua_pushfstring(state, "%d", answer.status == 0 ? 503 : answer.status);
  lua_setfield(state, -2, ":status");
  for (const auto& [name, value] : answer.headers) {  // the last of a name, as in Envoy
    pushText(state, name);
    pushText(state, value);
    lua_rawset(state, -3);
  }
  const std::string_view body = answer.status == 0 ? answer.failure : std::string_view(answer.body);
  body.empty() ? lua_pushnil(state) : pushText(state, body);
  return 2;
}

int respond(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  luaL_checktype(state, 2, LUA_TTABLE);
  if (run.side == Side::kResponse) return luaL_error(state, "respond() is for requests");
  if (run.head_gone) return luaL_error(state, "respond() comes too late: the headers have gone on");
  const char* fault = nullptr;
  size_t size = 0;
  {
    filter::Reply reply{0, lua_isstring(state, 3) ? std::string(textAt(state, 3)) : std::string(), "lua_response"};
    Fields fields;
    fault = readFields(state, 2, fields, size);
    for (auto& [name, value] : fields) {
      if (name == ":status") {
        std::from_chars(value.data(), value.data() + value.size(), reply.status);
      } else if (name[0] != ':' && !filter::isFraming(name)) {
        reply.headers.emplace_back(name, std::move(value));
      }
    }
    if (fault == nullptr && (reply.status < 200 || reply.status > 599)) {
      fault = "the headers of respond() must have ':status', 200 to 599";
    }
    if (fault == nullptr) run.reply = std::move(reply);
  }
  machineOf(state).spend(state, size / 8);
  if (fault != nullptr) return luaL_error(state, "%s", fault);
  run.wait = Run::Wait::kReply;
  return 0;
}

// --- the rest

template <LogLevel kLevel>
int log(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const std::string_view text = textAt(state, 2);
  if (run.logger != nullptr) run.logger->log(kLevel, "lua", text);
  return 0;
}

template <Kind kKind>
int object(lua_State* state) {
  pushObject(state, kKind, runOf(state, Kind::kHandle).id);
  return 1;
}

int base64Escape(lua_State* state) {
  runOf(state, Kind::kHandle);
  const std::string_view text = textAt(state, 2);
  const std::string escaped = absl::Base64Escape(base::toAbsl(text));
  pushText(state, escaped);
  return 1;
}

int64_t sinceEpoch(Run& run, bool microseconds) {
  const auto since = run.context.wallNow().time_since_epoch();
  return microseconds ? std::chrono::duration_cast<std::chrono::microseconds>(since).count()
                      : std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

// Argument 2 is a resolution: EnvoyTimestampResolution.MICROSECOND or MILLISECOND (the default).
bool inMicroseconds(lua_State* state) {
  const lua_Integer resolution = luaL_optinteger(state, 2, 0);
  if (resolution != 0 && resolution != 1) luaL_error(state, "timestamp format must be MILLISECOND or MICROSECOND");
  return resolution == 1;
}

int timestamp(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const bool microseconds = inMicroseconds(state);
  lua_pushnumber(state, static_cast<lua_Number>(sinceEpoch(run, microseconds)));
  return 1;
}

int timestampString(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const bool microseconds = inMicroseconds(state);
  char text[24];
  const char* const end = std::to_chars(text, text + sizeof(text), sinceEpoch(run, microseconds)).ptr;
  pushText(state, {text, static_cast<size_t>(end - text)});
  return 1;
}

int clearRouteCache(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  if (run.side == Side::kResponse || run.head_gone) {
    return luaL_error(state, "clearRouteCache() comes too late: the request has gone on");
  }
  run.clears_route = true;
  return 0;
}

int setUpstreamOverrideHost(lua_State* state) {
  Run& run = runOf(state, Kind::kHandle);
  const std::string_view host = textAt(state, 2);
  if (run.side == Side::kResponse || run.head_gone) {
    return luaL_error(state, "setUpstreamOverrideHost() comes too late: the request has gone on");
  }
  give(state, run, host.size());
  run.context.setUpstreamHost(host, lua_toboolean(state, 3) != 0);
  return 0;
}

constexpr Function kHandle[] = {{"headers", headers},
                                {"logTrace", log<LogLevel::kTrace>},
                                {"logDebug", log<LogLevel::kDebug>},
                                {"logInfo", log<LogLevel::kInfo>},
                                {"logWarn", log<LogLevel::kWarning>},
                                {"logErr", log<LogLevel::kError>},
                                {"logCritical", log<LogLevel::kCritical>},
                                {"metadata", object<Kind::kMetadata>},
                                {"filterContext", object<Kind::kFilterContext>},
                                {"streamInfo", object<Kind::kStreamInfo>},
                                {"connection", object<Kind::kConnection>},
                                {"route", object<Kind::kRoute>},
                                {"virtualHost", object<Kind::kVirtualHost>},
                                {"base64Escape", base64Escape},
                                {"timestamp", timestamp},
                                {"timestampString", timestampString},
                                {"clearRouteCache", clearRouteCache},
                                {"setUpstreamOverrideHost", setUpstreamOverrideHost},
                                {"verifySignature", verifySignature},
                                {nullptr, nullptr}};
constexpr Function kRaw[] = {
    {"awaitsBody", awaitsBody},     {"takeBody", takeBody},   {"beginChunks", beginChunks},
    {"awaitsChunk", awaitsChunk},   {"takeChunk", takeChunk}, {"awaitsTrailers", awaitsTrailers},
    {"takeTrailers", takeTrailers}, {"call", call},           {"takeAnswer", takeAnswer},
    {"respond", respond},           {"publicKey", publicKey}, {nullptr, nullptr}};

}  // namespace

void registerHandle(lua_State* state) {
  registerType(state, Kind::kHandle, kHandle);
  lua_newtable(state);
  for (const Function* function = kRaw; function->name != nullptr; ++function) {
    lua_pushcfunction(state, function->function);
    lua_setfield(state, -2, function->name);
  }
  lua_setfield(state, LUA_REGISTRYINDEX, "raw");
  lua_newtable(state);
  lua_pushinteger(state, 0);
  lua_setfield(state, -2, "MILLISECOND");
  lua_pushinteger(state, 1);
  lua_setfield(state, -2, "MICROSECOND");
  lua_setglobal(state, "EnvoyTimestampResolution");
}

}  // namespace sluice::extensions::http_filters::lua
