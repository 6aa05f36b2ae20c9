// headers(), trailers() and body() of a stream handle.
#include <luajit-2.1/lua.hpp>
#include <string>

#include "source/base/ascii.h"
#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/machine.h"
#include "source/extensions/filters/http/lua/run.h"
#include "source/filter/header_changes.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using filter::HeaderChange;
using filter::HeaderChanges;

// The list that object 1 stands for.
struct List {
  Run& run;
  http::HeaderList& fields;
  bool trailers;
  std::string status;  // of a response
};

List listOf(lua_State* state, bool trailers) {
  Run& run = runOf(state, trailers ? Kind::kTrailers : Kind::kHeaders);
  http::HeaderList& fields = trailers ? static_cast<http::HeaderList&>(run.trailers()) : run.headers();
  machineOf(state).spend(state, fields.size());
  if (trailers) return {run, fields, true, {}};
  const bool response = run.side == Side::kResponse;
  return {run, fields, false, response ? std::to_string(run.context.response().status) : std::string()};
}

// Where it is a pseudo-header of the head.
std::optional<std::string_view> pseudo(const List& list, std::string_view name) {
  if (list.trailers) return std::nullopt;
  if (list.run.side == Side::kResponse) {
    return name == ":status" ? std::optional<std::string_view>(list.status) : std::nullopt;
  }
  const http::RequestHeaders& head = list.run.context.request();
  if (name == ":path") return head.path;
  if (name == ":method") return head.method;
  if (name == ":authority" || name == "host") return head.authority;
  if (name == ":scheme") return head.scheme;
  return std::nullopt;
}

void mustBeHere(lua_State* state, const List& list) {
  if (!list.trailers && list.run.head_gone) {
    luaL_error(state, "the headers have gone on and cannot be changed any more");
  }
}

void change(lua_State* state, const List& list, const HeaderChanges& changes) {
  const filter::MutationRules rules{.allow_all_routing = true, .allow_envoy = true};
  filter::Applied applied;
  if (list.trailers) {
    applied = applyTrailerChanges(changes, rules, list.run.trailers());
  } else if (list.run.side == Side::kRequest) {
    applied = applyChanges(changes, rules, list.run.context.request());
  } else {
    applied = applyChanges(changes, rules, list.run.context.response());
  }
  if (applied.refused == 0) {
    list.run.head_changed |= !list.trailers;
    return;
  }
  const std::string& name = changes.set.empty() ? changes.remove.front() : changes.set.front().name;
  lua_pushfstring(state, "header '%s' cannot be changed like this: it frames the message, or its value is not valid",
                  name.c_str());
}

// `changes` are gone when an error is raised.
int changeOrFail(lua_State* state, const List& list, HeaderChanges changes) {
  const int top = lua_gettop(state);
  change(state, list, changes);
  changes = {};
  if (lua_gettop(state) > top) return lua_error(state);
  return 0;
}

template <bool kTrailers>
int get(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string name = base::lowered(textAt(state, 2));
  if (const auto value = pseudo(list, name)) {
    pushText(state, *value);
  } else if (const auto joined = list.fields.getAll(name)) {
    if (joined->data() != list.fields.get(name)->data()) give(state, list.run, joined->size());  // made in the arena
    pushText(state, *joined);
  } else {
    lua_pushnil(state);
  }
  return 1;
}

template <bool kTrailers>
int getAtIndex(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string name = base::lowered(textAt(state, 2));
  lua_Integer index = luaL_checkinteger(state, 3);
  if (const auto value = pseudo(list, name)) {
    index == 0 ? pushText(state, *value) : lua_pushnil(state);
    return 1;
  }
  for (const http::Field& field : list.fields) {
    if (field.name != name || index-- != 0) continue;
    pushText(state, field.value);
    return 1;
  }
  lua_pushnil(state);
  return 1;
}

template <bool kTrailers>
int getNumValues(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string name = base::lowered(textAt(state, 2));
  lua_Integer count = pseudo(list, name) ? 1 : 0;
  for (const http::Field& field : list.fields) count += field.name == name;
  lua_pushinteger(state, count);
  return 1;
}

template <bool kTrailers>
int add(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string_view name = textAt(state, 2), value = textAt(state, 3);
  mustBeHere(state, list);
  give(state, list.run, name.size() + value.size());
  return changeOrFail(state, list, {.set = {{std::string(name), std::string(value), HeaderChange::Action::kAppend}}});
}

template <bool kTrailers>
int replace(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string_view name = textAt(state, 2), value = textAt(state, 3);
  mustBeHere(state, list);
  give(state, list.run, name.size() + value.size());
  return changeOrFail(state, list,
                      {.set = {{std::string(name), std::string(value), HeaderChange::Action::kOverwrite}}});
}

template <bool kTrailers>
int remove(lua_State* state) {
  const List list = listOf(state, kTrailers);
  const std::string_view name = textAt(state, 2);
  mustBeHere(state, list);
  if (!list.trailers && base::equalsIgnoringCase(name, "content-length")) {  // the body goes on in chunks
    list.fields.remove(http::Name::kContentLength);
    return 0;
  }
  return changeOrFail(state, list, {.remove = {std::string(name)}});
}

int setReason(lua_State* state) {
  const List list = listOf(state, false);
  const std::string_view reason = textAt(state, 2);
  mustBeHere(state, list);
  if (list.run.side == Side::kRequest) return luaL_error(state, "a request has no reason phrase");
  for (const char c : reason) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return luaL_error(state, "a reason phrase has no control characters");
    }
  }
  give(state, list.run, reason.size());
  http::ResponseHeaders& head = list.run.context.response();
  head.reason = head.arena().copy(reason);
  return 0;
}

template <bool kTrailers>
int listAll(lua_State* state) {
  const List list = listOf(state, kTrailers);
  lua_createtable(state, static_cast<int>(2 * list.fields.size() + 8), 0);
  int at = 0;
  const auto put = [&](std::string_view name, std::string_view value) {
    pushText(state, name);
    lua_rawseti(state, -2, ++at);
    pushText(state, value);
    lua_rawseti(state, -2, ++at);
  };
  for (const std::string_view name : {":method", ":scheme", ":authority", ":path", ":status"}) {
    if (const auto value = pseudo(list, name); value && !value->empty()) put(name, *value);
  }
  for (const http::Field& field : list.fields) put(field.name, field.value);
  return 1;
}

// --- a body or a piece of it

std::string_view bytesOf(lua_State* state, Run& run) {
  if (!run.piece) luaL_error(state, "object used outside of the call that it belongs to: this piece has gone on");
  return run.changed ? std::string_view(*run.changed) : *run.piece;
}

int length(lua_State* state) {
  Run& run = runOf(state, Kind::kBuffer);
  lua_pushinteger(state, static_cast<lua_Integer>(bytesOf(state, run).size()));
  return 1;
}

int getBytes(lua_State* state) {
  Run& run = runOf(state, Kind::kBuffer);
  const std::string_view bytes = bytesOf(state, run);
  const lua_Integer from = luaL_checkinteger(state, 2), count = luaL_checkinteger(state, 3);
  const auto size = static_cast<lua_Integer>(bytes.size());
  if (from < 0 || count < 0 || from > size || count > size - from) {
    return luaL_error(state, "index/length must be within the buffer of %d bytes", static_cast<int>(size));
  }
  pushText(state, bytes.substr(static_cast<size_t>(from), static_cast<size_t>(count)));
  return 1;
}

int setBytes(lua_State* state) {
  Run& run = runOf(state, Kind::kBuffer);
  bytesOf(state, run);
  const std::string_view bytes = textAt(state, 2);
  if (!run.whole) {  // its length may be told already
    if (run.head_gone && run.headers().has(http::Name::kContentLength)) {
      return luaL_error(state,
                        "the length of the body was told with the headers: remove content-length before a chunk is "
                        "changed, or use body()");
    }
  }
  run.changed.emplace(bytes);
  lua_pushinteger(state, static_cast<lua_Integer>(bytes.size()));
  return 1;
}

template <bool kTrailers>
constexpr Function kFields[] = {{"get", get<kTrailers>},
                                {"getAtIndex", getAtIndex<kTrailers>},
                                {"getNumValues", getNumValues<kTrailers>},
                                {"add", add<kTrailers>},
                                {"replace", replace<kTrailers>},
                                {"remove", remove<kTrailers>},
                                {"_list", listAll<kTrailers>},
                                {kTrailers ? nullptr : "setHttp1ReasonPhrase", setReason},
                                {nullptr, nullptr}};
constexpr Function kBuffer[] = {{"length", length}, {"getBytes", getBytes}, {"setBytes", setBytes}, {nullptr, nullptr}};

}  // namespace

void registerHeaders(lua_State* state) {
  registerType(state, Kind::kHeaders, kFields<false>);
  registerType(state, Kind::kTrailers, kFields<true>);
  registerType(state, Kind::kBuffer, kBuffer);
}

}  // namespace sluice::extensions::http_filters::lua
