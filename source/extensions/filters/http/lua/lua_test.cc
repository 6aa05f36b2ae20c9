#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/lua/v3/lua.pb.h"

#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/lua/factory.h"
#include "source/extensions/filters/http/lua/filter.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::lua {
namespace {

using filter::HttpCallResponse;
using filter::testing::Fields;
using filter::testing::Harness;

struct Options {
  Limits limits = {};
  bool fails_open = false;
  size_t body_limit = 1024;
  bool clear_route_cache = false;
};

Settings settingsOf(const std::string& code, const Options& options = {}) {
  Settings settings;
  settings.script = std::make_shared<Script>(code, "test", options.limits, nullptr, worker::LocalSlots());
  settings.fails_open = options.fails_open;
  settings.body_limit = options.body_limit;
  settings.clear_route_cache = options.clear_route_cache;
  settings.errors = observability::Counter{1};
  settings.executions = observability::Counter{2};
  return settings;
}

Harness make(const std::string& code, const Options& options = {},
             std::shared_ptr<const route::PerFilterConfig> route = nullptr) {
  return Harness({std::make_shared<FilterFactory>(settingsOf(code, options))}, {std::move(route)});
}

// The body of envoy_on_request (envoy_on_response).
std::string request(const std::string& body) {
  return "function envoy_on_request(handle)\n" + body + "\nend\n";
}
std::string response(const std::string& body) {
  return "function envoy_on_response(handle)\n" + body + "\nend\n";
}

// What a script of one expression returns, as x-out; a failed one has "failed".
std::string out(const std::string& expression, const Fields& fields = {{"x-a", "1"}, {"x-a", "2"}}) {
  Harness h = make(request("handle:headers():replace('x-out', tostring(" + expression + "))"));
  h.stream.request().path = "/p?q";
  h.stream.request().authority = "a.example";
  h.request("GET", fields, true);
  if (h.client.status == 500) return "failed";
  for (const auto& [name, value] : h.terminal.headers) {
    if (name == "x-out") return value;
  }
  return "none";
}

TEST_CASE("headers are read and changed") {
  CHECK(out("handle:headers():get('X-A')") == "1,2");
  CHECK(out("handle:headers():get('x-none')") == "nil");
  CHECK(out("handle:headers():getAtIndex('x-a', 1)") == "2");
  CHECK(out("handle:headers():getAtIndex('x-a', 2)") == "nil");
  CHECK(out("handle:headers():getNumValues('x-a')") == "2");
  CHECK(out("handle:headers():get(':path')") == "/p?q");
  CHECK(out("handle:headers():get(':authority')") == "a.example");
  CHECK(out("handle:headers():get(':method')") == "GET");

  Harness h = make(request(R"(
    local headers, all = handle:headers(), {}
    for name, value in pairs(headers) do all[#all + 1] = name .. '=' .. value end
    headers:add('x-all', table.concat(all, ' '))
    headers:replace(':path', '/other')
    headers:remove('x-a')
    headers:add('x-b', '3'))"));
  h.stream.request().path = "/";
  h.stream.request().authority = "a";
  h.stream.request().scheme = "http";
  h.request("GET", {{"x-a", "1"}, {"x-b", "2"}}, true);
  CHECK(h.stream.request().path == "/other");
  CHECK(h.terminal.headers ==
        Fields{{"x-b", "2"}, {"x-all", ":method=GET :scheme=http :authority=a :path=/ x-a=1 x-b=2"}, {"x-b", "3"}});
}

TEST_CASE("what frames a message, and what cannot stand in one, is an error") {
  for (const char* code : {"handle:headers():replace('content-length', '3')",
                           "handle:headers():add('transfer-encoding', 'chunked')", "handle:headers():add('x y', '1')",
                           "handle:headers():add('x', 'a\\r\\nb: c')", "handle:headers():replace(':path', 'no-slash')",
                           "handle:headers():replace(':path', '/a b')", "handle:headers():remove(':method')"}) {
    INFO(code);
    Harness h = make(request(code));
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
    CHECK(h.stream.info().response_code_details == "lua_script_error");
    CHECK(h.counted({1}) == 1);
  }
}

TEST_CASE("a failed script answers 500, or lets the message go on as it is") {
  for (const char* code : {"error('x')", "error({})", "local a = nil; a.b = 1", "handle:nothing()"}) {
    Harness refuses = make(request(code));
    refuses.request("GET", {}, true);
    CHECK(refuses.client.status == 500);
    Harness goes = make(request(code), {.fails_open = true});
    goes.request("GET", {}, true);
    CHECK(goes.terminal.complete);
    CHECK(goes.counted({1}) == 1);
    CHECK(goes.counted({2}) == 1);
  }
}

TEST_CASE("a script is bounded in instructions, time and memory, whatever it catches") {
  const Limits few{.instructions = 100'000, .time = std::chrono::seconds(10), .memory = 1024 * 1024};
  const Limits brief{.instructions = 1'000'000'000'000, .time = std::chrono::milliseconds(5)};
  for (const char* code :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "local co = coroutine.wrap(function() while true do end end) co()", "while true do pcall(error, 'x') end",
        "xpcall(function() while true do end end, function() while true do end end)"}) {
    for (const Limits& limits : {few, brief}) {
      INFO(code);
      Harness h = make(request(code), {.limits = limits});
      h.request("GET", {}, true);
      CHECK(h.client.status == 500);
    }
  }
  for (const char* code : {"string.rep('x', 1e8)", "local t = {} for i = 1, 1e9 do t[i] = {} end",
                           "local s = 'x' while true do s = s .. s end"}) {
    INFO(code);
    Harness h = make(request(code), {.limits = {.instructions = 1'000'000'000, .memory = 1024 * 1024}});
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
  }
}

TEST_CASE("what one call of the library does counts as well") {
  const Limits few{.instructions = 1'000'000, .time = std::chrono::minutes(10)};
  const Limits brief{.instructions = 1'000'000'000'000, .time = std::chrono::milliseconds(5)};
  for (const char* code :
       {"('a'):rep(50000):match('^.-.-.-x')", "('a'):rep(50000):find('.-.-.-x')",
        "for _ in ('a'):rep(50000):gmatch('.-.-.-x') do end", "('a'):rep(50000):gsub('.-.-.-x', '')",
        "while true do pcall(string.match, ('a'):rep(50000), '.-.-.-x') end",
        "coroutine.wrap(function() ('a'):rep(50000):match('.-.-.-x') end)()",
        "local p = '[' .. ('a'):rep(1e6) .. ']*x' local s = ('b'):rep(1e5) while true do s:find(p) end",
        "local s = ('('):rep(1e5) while true do s:find('%b()') end",
        "local s = ('a'):rep(1e6) while true do s:find(('a'):rep(5e5) .. 'b', 1, true) end",
        "local s = ('a'):rep(1e5) while true do s:gsub('', string.upper) end", "table.insert({}, -2^31, 1)",
        "local t = {} for i = 1, 5e4 do t[i] = i end while true do table.insert(t, 1, 1) end",
        "local t = {} for i = 1, 5e4 do t[i] = i * 7919 % 104729 end while true do table.sort(t) t[1] = 9 end",
        "while true do table.sort({3, 1, 2}, rawequal) end",
        "local t = {} for i = 1, 5e4 do t[i] = i + .5 end while true do pcall(table.concat, t) end",
        "local f = ('%99.99f'):rep(200) local t = {} for i = 1, 200 do t[i] = 1e308 end "
        "while true do f:format(unpack(t)) end",
        "local f = ('%c'):rep(500) while true do os.date(f) end",
        "handle:streamInfo():dynamicMetadata():set('f', 'k', {('x'):byte(1, 1)}) "
        "while true do handle:streamInfo():dynamicMetadata():get('f') end",
        "for i = 1, 1000 do handle:headers():add('x-' .. i, '') end while true do handle:headers():get('x') end"}) {
    for (const Limits& limits : {few, brief}) {
      INFO(code);
      Harness h = make(request(code), {.limits = limits});
      h.request("GET", {}, true);
      CHECK(h.client.status == 500);
    }
  }
}

TEST_CASE("nothing that a trusted script calls is counted") {
  Harness h = make(request("for i = 1, 2000 do handle:headers():replace('x', i) end "
                           "handle:importPublicKey('no key', 6)"),
                   {.limits = {.trusted = true}});
  h.request("GET", {}, true);
  CHECK(h.terminal.complete);
  CHECK(h.counted({1}) == 0);
}

TEST_CASE("a script that holds much is looked at more often") {
  const Limits brief{.instructions = 1'000'000'000'000, .time = std::chrono::milliseconds(5)};
  for (const char* code : {"local s = ('a'):rep(1e7) local k = s .. 'b' while true do local x = s .. 'b' end",
                           "local s = ('a'):rep(1e7) local p, q = s .. 'x', s .. 'y' while true do local x = p < q end",
                           "local s = ('9'):rep(1e7) while true do local x = tonumber(s) end",
                           "local s = ('a'):rep(1e7) while true do s:upper() s:reverse() s:lower() end"}) {
    INFO(code);
    Harness h = make(request(code), {.limits = brief});
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
  }
  // Blocks that come and go do not put off the next look.
  Harness h = make(request("local t = {} while true do for i = 1, 9000 do t[i] = i end t = {} end"),
                   {.limits = {.instructions = 10'000'000, .time = std::chrono::minutes(10)}});
  h.request("GET", {}, true);
  CHECK(h.client.status == 500);
}

TEST_CASE("calls inside of calls end before the stack of the thread does") {
  for (const char* code : {"local function f() return (('x'):gsub('x', f)) end f()",
                           "local t = setmetatable({}, {__index = function(t) return (('x'):gsub('x', t)) end}) "
                           "('x'):gsub('x', t)",
                           "local function f() coroutine.wrap(f)() end f()",
                           "local function f() assert(coroutine.resume(coroutine.create(f))) end f()",
                           "local function f() table.sort({1, 2}, f) coroutine.wrap(f)() end f()",
                           "local function f() table.sort({1, 2}, function() coroutine.wrap(f)() end) end f()"}) {
    INFO(code);
    Harness h = make(request(code));
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
  }
  CHECK(out("pcall(function() local function f(n) return n == 0 and '' or (('x'):gsub('x', function() return f(n - 1) "
            "end)) end return f(30) end)") == "true");
}

TEST_CASE("a callback of gsub cannot wait") {
  Harness h = make(request(R"(
    local head = {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'a'}
    local good, why = pcall(string.gsub, 'x', 'x', function() handle:httpCall('c', head, '', 0) end)
    handle:headers():add('x-why', tostring(good) .. ' ' .. why))"));
  h.request("GET", {}, true);
  CHECK(h.calls.waiting() == 0);
  REQUIRE(h.terminal.headers.size() == 1);
  CHECK(h.terminal.headers[0].second.find("attempt to yield across C-call boundary") != std::string::npos);
}

TEST_CASE("what requests leave behind does not use up the memory of a script that keeps more than half of it") {
  const auto factory = std::make_shared<FilterFactory>(
      settingsOf("kept = {} for i = 1, 23 do kept[i] = ('x' .. i):rep(8000) end n = 0\n" + request(R"(
    n = n + 1
    if handle:headers():get('x-all') then local t = {} for i = 1, 1e9 do t[i] = ('z' .. i):rep(10000) end end
    local s = ('y' .. n):rep(10000))"),
                 {.limits = {.memory = 1024 * 1024}}));
  for (int i = 0; i < 200; ++i) {
    Harness h({factory}, {nullptr});
    const bool takes_all = i % 50 == 49;
    h.request("GET", takes_all ? Fields{{"x-all", "1"}} : Fields{}, true);
    INFO(i);
    CHECK((h.client.status == 500) == takes_all);
  }
}

TEST_CASE("what a script puts into its stream is bounded as its memory is") {
  for (const char* code : {"for i = 1, 100 do handle:headers():replace('x', ('y'):rep(20000)) end",
                           "for i = 1, 100 do handle:streamInfo():filterState():set('k' .. i, ('y'):rep(20000)) end",
                           "for i = 1, 100 do handle:streamInfo():dynamicMetadata():set('f', 'k' .. i, "
                           "('y'):rep(20000)) end"}) {
    INFO(code);
    Harness h = make(request(code), {.limits = {.memory = 1024 * 1024}});
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
  }
}

TEST_CASE("one text that stands in headers or lines many times is not copied without end") {
  const std::string many = "local s, t = ('x'):rep(1e6), {} for i = 1, 7000 do t[i] = s end ";
  for (const char* code :
       {"handle:respond({[':status'] = '200', x = t}, '')",
        "handle:httpCall('c', {[':path'] = '/', [':method'] = 'GET', [':authority'] = 'a', x = t}, '', 0)",
        "handle:respond({[':status'] = '200', [s .. s] = ''}, '')",
        "for i = 1, 1000 do handle:setUpstreamOverrideHost(s, false) end",
        "handle:headers():add('x', s) handle:headers():add('x', s) "
        "for i = 1, 1000 do handle:headers():get('x') end"}) {
    INFO(code);
    Harness h = make(request(many + code), {.limits = {.time = std::chrono::minutes(10)}});
    h.request("GET", {}, true);
    CHECK(h.client.status == 500);
    CHECK(h.calls.waiting() == 0);
  }
  size_t longest = 0;
  std::string error;
  Machine::load(
      many + "print(unpack(t))", "test", {}, [&](std::string_view line) { longest = line.size(); }, error);
  CHECK(error == "");
  CHECK(longest > 0);
  CHECK(longest < 100'000);
}

TEST_CASE("xpcall calls its handler, and gives what the function gave") {
  CHECK(out("select('#', xpcall(function(a, b) return a, b, nil end, error, 1, 2))") == "4");
  CHECK(out("select(2, xpcall(error, function(e) return 'was ' .. e end, 'x'))") == "was x");
}

// Requests on one worker, one after the other: what the script adds as x-out, or the status that it is answered with.
class Site {
 public:
  explicit Site(const std::string& code) : factory_(std::make_shared<FilterFactory>(settingsOf(code))) {}

  std::string next() {
    Harness h({factory_}, {nullptr});
    h.stream.shared_worker = &worker_;
    h.request("GET", {}, true);
    return h.client.status != 0 ? std::to_string(h.client.status) : h.terminal.headers.at(0).second;
  }

 private:
  worker::testing::TestWorker worker_;
  std::shared_ptr<FilterFactory> factory_;
};

TEST_CASE("a machine goes on with the next request behind a failed one") {
  Site site("count = 0\n" + request("count = count + 1; if count == 2 then error('second') end; "
                                    "handle:headers():add('x-out', tostring(count))"));
  CHECK(site.next() == "1");
  CHECK(site.next() == "500");
  CHECK(site.next() == "3");
}

TEST_CASE("runs that are over leave their coroutine to others, and nothing of themselves") {
  Site site("seen, count = {}, 0\n" + request(R"(
    local before, me = kept, coroutine.running()
    if not seen[me] then seen[me] = true count = count + 1 end
    kept, last = me, handle
    if other then error('twice') end
    local why = 'first'
    if before and before ~= me then why = select(2, coroutine.resume(before)) end
    if older then why = why .. ', ' .. select(2, pcall(function() return older:headers() end)) end
    older = handle
    handle:headers():add('x-out', count .. ' ' .. why))"));
  CHECK(site.next() == "1 first");
  CHECK(site.next().find("1 first, ") == 0);
  CHECK(site.next().find("object used outside of the call that it belongs to") != std::string::npos);

  Site elsewhere(request(R"(
    local found = getfenv(0) == getfenv(1)
    setfenv(0, {})
    handle:headers():add('x-out', tostring(found)))"));
  for (int i = 0; i < 2; ++i) CHECK(elsewhere.next() == "true");

  Site broken("count = 0\n" + request(R"(
    count = count + 1
    if count < 4 then local function deep(n) if n == 0 then error('x') end deep(n - 1) end deep(50) end
    if kept then handle:headers():add('x-out', tostring(select(2, coroutine.resume(kept)))) end
    kept = coroutine.running())"));
  for (int i = 0; i < 3; ++i) CHECK(broken.next() == "500");
}

TEST_CASE("an untrusted script has no way to files, processes or code that is no source") {
  CHECK(out("io") == "nil");
  CHECK(out("os.execute") == "nil");
  CHECK(out("load") == "nil");
  CHECK(out("require") == "nil");
  CHECK(out("debug") == "nil");
  CHECK(out("string.dump") == "nil");
  CHECK(out("type(os.time)") == "function");
  CHECK(out("pcall(function() return getmetatable(handle).__index end)").substr(0, 5) != "true,");
}

TEST_CASE("a whole body is read and replaced") {
  const std::string code = request(R"(
    local body = handle:body()
    handle:headers():replace('x-size', tostring(body:length()))
    handle:headers():replace('x-part', body:getBytes(1, 2))
    body:setBytes('<' .. body:getBytes(0, body:length()) .. '>'))");
  Harness h = make(code);
  h.request("POST", {{"content-length", "4"}}, false);
  h.runner->requestData("ab", false);
  CHECK(h.terminal.heads == 0);
  h.runner->requestData("cd", true);
  CHECK(h.terminal.body == "<abcd>");
  CHECK(h.terminal.headers == Fields{{"content-length", "6"}, {"x-size", "4"}, {"x-part", "bc"}});

  Harness large = make(code, {.body_limit = 3});
  large.request("POST", {}, false);
  large.runner->requestData("abcd", true);
  CHECK(large.client.status == 413);

  Harness wrong = make(request("handle:body():getBytes(0, 5)"));
  wrong.request("POST", {}, false);
  wrong.runner->requestData("abcd", true);
  CHECK(wrong.client.status == 500);
}

TEST_CASE("a message without a body has none, or an empty one that can be filled") {
  CHECK(out("handle:body()") == "nil");
  CHECK(out("handle:trailers()") == "nil");
  Harness h = make(response("handle:body(true):setBytes('made')"));
  h.request("GET", {}, true);
  h.respond(200, {{"content-length", "0"}}, true);
  CHECK(h.client.headers == Fields{{"content-length", "4"}});
  CHECK(h.client.body == "made");
  CHECK(h.client.complete);
}

TEST_CASE("chunks are seen and changed as they pass, and the trailers behind them") {
  Harness h = make(response(R"(
    for chunk in handle:bodyChunks() do
      chunk:setBytes(chunk:getBytes(0, chunk:length()):upper())
    end
    local trailers = handle:trailers()
    if trailers ~= nil then trailers:add('x-end', 'seen') end)"));
  h.request("GET", {}, true);
  h.respond(200, {}, false);
  CHECK(h.client.heads == 1);
  h.runner->responseData("ab", false);
  CHECK(h.client.body == "AB");
  h.runner->responseData("c", false);
  h.responseTrailers({{"t", "1"}});
  CHECK(h.client.body == "ABC");
  CHECK(h.client.trailers == Fields{{"t", "1"}, {"x-end", "seen"}});
}

TEST_CASE("what has gone on is out of reach") {
  for (const char* code : {"local h = handle:headers() for c in handle:bodyChunks() do h:add('x', '1') end",
                           "for c in handle:bodyChunks() do handle:body() end",
                           "local first for c in handle:bodyChunks() do if first then first:length() end first = c end "
                           "handle:trailers() first:length()",
                           "handle:body() handle:bodyChunks()"}) {
    INFO(code);
    Harness h = make(request(code));
    h.request("POST", {}, false);
    h.runner->requestData("a", false);
    h.runner->requestData("b", false);
    h.requestTrailers({{"t", "1"}});
    CHECK(h.counted({1}) == 1);
  }
  // Objects of one run in another.
  Harness kept = make("saved = nil\n" + request("saved = handle") + response("saved:headers():add('x', '1')"));
  kept.request("GET", {}, true);
  kept.respond(200, {}, true);
  CHECK(kept.client.status == 500);
}

TEST_CASE("a script answers a request itself") {
  Harness h = make(request("handle:respond({[':status'] = 403, ['x-why'] = {'a', 'b'}}, 'no')"));
  h.request("GET", {}, true);
  CHECK(h.client.status == 403);
  CHECK(h.client.body == "no");
  CHECK(h.stream.info().response_code_details == "lua_response");
  for (const char* wrong : {"handle:respond({}, 'x')", "handle:respond({[':status'] = '99'})", "handle:respond('x')"}) {
    Harness bad = make(request(wrong));
    bad.request("GET", {}, true);
    CHECK(bad.client.status == 500);
  }
}

TEST_CASE("a script calls a cluster and waits") {
  Harness h = make(request(R"(
    local headers, body = handle:httpCall('auth', {[':method'] = 'POST', [':path'] = '/check', [':authority'] = 'auth',
                                                   ['x-n'] = 5}, 'hello', 200)
    handle:headers():add('x-answer', headers[':status'] .. ' ' .. headers['x-user'] .. ' ' .. body)
    local _, second = handle:httpCall('auth', {[':method'] = 'GET', [':path'] = '/2', [':authority'] = 'auth'}, nil, 0)
    handle:headers():add('x-second', tostring(second)))"));
  h.request("GET", {}, true);
  REQUIRE(h.calls.waiting() == 1);
  const filter::HttpCallRequest& asked = h.calls.request(0);
  CHECK(asked.cluster == "auth");
  CHECK(asked.path == "/check");
  CHECK(asked.body == "hello");
  CHECK(asked.timeout == std::chrono::milliseconds(200));
  CHECK(asked.headers == Fields{{"x-n", "5"}});
  CHECK(h.terminal.heads == 0);
  h.calls.answer({.status = 200, .headers = {{"x-user", "ann"}}, .body = "ok"});
  h.calls.answer({.status = 0, .failure = "timeout"});
  CHECK(h.terminal.headers == Fields{{"x-answer", "200 ann ok"}, {"x-second", "timeout"}});

  // The options are read as they stand: nothing of the script runs in between.
  Harness table = make(request(R"(
    local options = setmetatable({timeout_ms = 5}, {__index = function() error('run') end})
    handle:httpCall('auth', {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'auth'}, nil, options))"));
  table.request("GET", {}, true);
  REQUIRE(table.calls.waiting() == 1);
  CHECK(table.calls.request(0).timeout == std::chrono::milliseconds(5));
}

TEST_CASE("a script that asks for the body of a tunnel goes on, behind a call as well") {
  for (const char* call :
       {"", "handle:httpCall('c', {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'a'}, nil, 0)"}) {
    INFO(call);
    Harness h = make(request(std::string(call) + " handle:body() handle:respond({[':status'] = '403'})"));
    h.stream.request().upgrade = "websocket";
    h.request("GET", {}, false);
    if (*call != 0) h.calls.answer({.status = 200});
    CHECK(h.client.status == 403);
    CHECK(h.terminal.heads == 0);
  }
}

TEST_CASE("facts of the stream, metadata and filter state") {
  CHECK(out("handle:streamInfo():protocol()") == "HTTP/1.1");
  CHECK(out("handle:streamInfo():downstreamSslConnection()") == "nil");
  CHECK(out("handle:connection():ssl()") == "nil");
  CHECK(out("handle:metadata():get('x')") == "nil");
  CHECK(out("handle:base64Escape('ab')") == "YWI=");
  Harness h = make(request(R"(
    local data = handle:streamInfo():dynamicMetadata()
    data:set('my.filter', 'user', {name = 'ann', groups = {'a', 'b'}, age = 3, on = true})
    handle:headers():add('x-name', data:get('my.filter').user.groups[2])
    handle:streamInfo():filterState():set('k', 'v')
    handle:headers():add('x-state', handle:streamInfo():filterState():get('k')))"));
  h.request("GET", {}, true);
  CHECK(h.terminal.headers == Fields{{"x-name", "b"}, {"x-state", "v"}});
  Harness forged = make(request("handle:streamInfo():dynamicMetadata():set('sluice.identity', 'subject', 'ann')"));
  forged.request("GET", {}, true);
  CHECK(forged.stream.info().metadata().find("sluice.identity") == nullptr);
  Harness deep =
      make(request("local t = {1} for i = 1, 28 do t = {t} end "
                   "handle:streamInfo():dynamicMetadata():set('f', 'k', t)"));
  deep.request("GET", {}, true);
  CHECK(deep.terminal.complete);
  for (const char* wrong :
       {"{1, x = 2}", "{1, nil, 3, x = 2}", "print", "(function() local t = {} t.t = t return t end)()",
        "(function() local t = {1} for i = 1, 30 do t = {t, t} end return t end)()"}) {
    INFO(wrong);
    Harness bad = make(request(std::string("handle:streamInfo():dynamicMetadata():set('f', 'k', ") + wrong + ")"));
    bad.request("GET", {}, true);
    CHECK(bad.client.status == 500);
  }
}

TEST_CASE("a route has a script of its own, none, or a named one, and a context") {
  const auto own = std::make_shared<RouteSettings>();
  own->script = std::make_shared<Script>(request("handle:headers():add('x-own', handle:filterContext():get('plan'))"),
                                         "own", Limits{}, nullptr, worker::LocalSlots());
  own->context = stream::MetadataFields{{"plan", {std::string("gold")}}};
  Harness h = make(request("error('not me')"), {}, own);
  h.request("GET", {}, true);
  CHECK(h.terminal.headers == Fields{{"x-own", "gold"}});

  const auto off = std::make_shared<RouteSettings>();
  off->off = true;
  Harness none = make(request("error('not me')"), {}, off);
  none.request("GET", {}, true);
  CHECK(none.terminal.complete);

  // Whatever it was to decide, nobody has.
  const auto unknown = std::make_shared<RouteSettings>();
  unknown->name = "misspelt";
  Harness refused = make(request(""), {}, unknown);
  refused.request("GET", {}, true);
  CHECK(refused.client.status == 500);
  CHECK(refused.counted({1}) == 1);
}

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }
};

TEST_CASE("a script that does not load is refused with its line") {
  const auto problems = [](const std::string& code) {
    World world;
    envoy::extensions::filters::http::lua::v3::Lua proto;
    proto.mutable_default_source_code()->set_inline_string(code);
    const auto* factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
    const auto compiled = factory->compile(proto, world.context("http.p."));
    CHECK((compiled != nullptr) == world.problems().empty());
    return world.problems();
  };
  CHECK(problems("function envoy_on_request(handle) end") == "");
  CHECK(problems("function envoy_on_request(handle)\n if end").find("default_source_code:2:") != std::string::npos);
  CHECK(problems("error('at start')").find("at start") != std::string::npos);
  CHECK(problems("\x1bLJ\x02").find("mode") != std::string::npos);  // bytecode
  CHECK(problems("x = 1").find("neither envoy_on_request nor envoy_on_response") != std::string::npos);
  CHECK(problems("\nwhile true do end").find("default_source_code:2: the script took too many instructions") !=
        std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  struct Case {
    const char* code;
    bool calls;
  };
  for (const Case& each :
       {Case{"function envoy_on_request(h) h:headers():add('x', '1') end function envoy_on_response(h) "
             "h:headers():add('y', '1') end",
             false},
        Case{"function envoy_on_request(h) h:body() h:trailers() end function envoy_on_response(h) h:body() end",
             false},
        Case{"function envoy_on_request(h) for c in h:bodyChunks() do end h:trailers() end "
             "function envoy_on_response(h) for c in h:bodyChunks() do end end",
             false},
        Case{"local head = {[':method'] = 'GET', [':path'] = '/', [':authority'] = 'a'} "
             "function envoy_on_request(h) h:httpCall('c', head, '', 0) h:body() h:httpCall('c', head, '', 0) end "
             "function envoy_on_response(h) for c in h:bodyChunks() do h:httpCall('c', head, '', 0) end end",
             true}}) {
    INFO(each.code);
    filter::testing::Suite suite;
    suite.chain = [&each] {
      return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
          std::make_shared<FilterFactory>(settingsOf(each.code))};
    };
    if (each.calls) suite.bad_answers = {HttpCallResponse{.status = 500}, HttpCallResponse{.failure = "reset"}};
    suite.max_runs = 5000;
    REQUIRE(runInterleavings(suite) == "");
    REQUIRE(runOverCodecs(suite) == "");
  }
}

}  // namespace
}  // namespace sluice::extensions::http_filters::lua
