#include "source/extensions/filters/http/lua/patterns.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/lua/machine.h"

namespace sluice::extensions::http_filters::lua {
namespace {

// What a script prints: with the functions of LuaJIT if it is trusted, else with those in their place.
std::vector<std::string> printed(const std::string& code, bool trusted) {
  std::vector<std::string> lines;
  std::string error;
  const Limits limits{.instructions = 1'000'000'000'000, .trusted = trusted};
  const auto machine = Machine::load(
      code, "test", limits, [&](std::string_view line) { lines.emplace_back(line); }, error);
  CHECK(error == "");
  return lines;
}

// show(name, ...): one line, in which each value can be told from all others.
constexpr const char* kShow = R"lua(
local function text(value)
  if type(value) == 'number' or type(value) == 'boolean' then return tostring(value) end
  if type(value) ~= 'string' then return type(value) end
  local all = {}
  for i = 1, #value do
    local c = value:byte(i)
    all[i] = c >= 32 and c < 127 and value:sub(i, i) or '\\' .. c
  end
  return '"' .. table.concat(all) .. '"'
end
local function show(name, ...)
  local all = {name}
  for i = 1, select('#', ...) do all[i + 1] = text((select(i, ...))) end
  print(table.concat(all, ' '))
end
)lua";

void compare(const std::string& code, size_t lines) {
  const std::vector<std::string> own = printed(kShow + code, false), theirs = printed(kShow + code, true);
  CHECK(own.size() >= lines);
  REQUIRE(own.size() == theirs.size());
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i] != theirs[i]) REQUIRE(own[i] == theirs[i]);  // one assertion for all that are the same
  }
}

constexpr const char* kCases[] = {
    "string.find()",
    "string.find('a')",
    "string.find({}, 'a')",
    "string.find('a', nil)",
    "string.find('a', 'a', 'x')",
    "string.find(12, 1)",
    "string.find('a', 'a', nil, true)",
    "string.find('a.b', '.', 1, true)",
    "string.find('a.b', '.', 1, false)",
    "string.find('abc', 'b', -1)",
    "string.find('abc', 'b', -10)",
    "string.find('abc', '', 10)",
    "string.find('abc', '', 4)",
    "string.find('', '')",
    "string.find('', '', 3, true)",
    "string.find('a\\0b', '\\0')",
    "string.find('a\\0b', '\\0b')",
    "string.find('a\\0b', 'a\\0.')",
    "string.find('abc', 'c', 1.7)",
    "string.find('a\\nb', '.b')",
    "string.find('a+b', '+', 1, true)",
    "string.find('a+b', 'a+b')",
    "string.find(('ab'):rep(40000) .. 'b', ('ab'):rep(20000) .. 'b', 7, true)",
    "string.find(('ab'):rep(40000), ('ab'):rep(20000) .. 'b', 7, true)",
    "string.match('a\\0b', 'a%zb')",
    "string.match('  trim  ', '^%s*(.-)%s*$')",
    "string.match('key = value', '^(%w+)%s*=%s*(%w+)$')",
    "string.match('2026-11-30', '(%d+)-(%d+)-(%d+)')",
    "string.match('\"x\" \\'y\\'', '([\"\\'])(.-)%1')",
    "string.match('abc', '((a)(b)(c))')",
    "string.match('abc', '()b()')",
    "string.match('aa', '()%1')",
    "string.match('x', '%1')",
    "string.match('x', '(%1)')",
    "string.match('x', '%0')",
    "string.match('x', 'x)')",
    "string.match('x', '(x')",
    "string.match('x', '%bx')",
    "string.match('xx', '%bxx')",
    "string.match('(a(b)c', '%b()')",
    "string.match('x', '%f')",
    "string.match('x', '[a')",
    "string.match('x', '[%')",
    "string.match('x', 'x%')",
    "string.match(('a'):rep(40), ('(a)'):rep(33))",
    "string.match('[]^-', '[]]'), ('^'):match('[%^]'), ('-'):match('[a-]'), ('b'):match('[^a-]')",
    "string.gsub('a', 'a')",
    "string.gsub('a', 'a', print, 'x')",
    "string.gsub('a', 'a', true)",
    "string.gsub('abc', '%w', '%9')",
    "string.gsub('abc', '(%w', 1)",
    "string.gsub('abc', '%w', function() return {} end)",
    "string.gsub('abc', '%w', function() error('x') end)",
    "string.gsub('abc', '%w', function() error({}) end)",
    "string.gsub('abc', '', '-')",
    "string.gsub('hello world', '(%w+)', '%1 %1', 1)",
    "string.gsub('abc', 'b', '%')",
    "string.gsub('abc', 'b', 'x%')",
    "string.gsub('abc', 'b', 'x\\0y')",
    "string.gsub(12345, 3, 4)",
    "string.gsub('abc', '^b', 'x')",
    "string.gsub('aaa', '^a', 'x')",
    "string.gsub('abc', '%w', 'x', 0)",
    "string.gsub('abc', '%w', 'x', -1)",
    "string.gsub('abc', '%w', 'x', 1.9)",
    "string.gsub('abc', '%w', 'x', '2')",
    "string.gsub('abc', '%w', setmetatable({}, {__index = function(t, k) return k .. k end}))",
    "string.gsub('abc', '()', {'x', 'y'})",
    "string.gsub('THE (quick) fox', '%f[%a]%a+', {quick = 'slow'})",
    "string.gsub('x', 'x', string.rep)",
    "(function() for k in ('abc'):gmatch('(') do end end)()",
    "(function() local n = 0 for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do n = n + v end return n end)()",
    "(function() local n = 0 for k in ('^a^a'):gmatch('^a') do n = n + 1 end return n end)()",
    "('x'):gsub()",
    "('x'):match()",
    "('x'):gmatch()",
    "string.gmatch()",
    "coroutine.wrap(function() return ('x'):gsub('x', coroutine.yield) end)()",
    "coroutine.resume(coroutine.create(function() ('x'):gsub('x', function() coroutine.yield(1) end) end))",
    "string.format('%s %d', 'a')",
    "string.format()",
    "('%5.2f|%q|%s'):format(2.5, 'x', 'y')",
    "table.concat({1, 2, {}})",
    "table.concat({1, 2, 3}, ',', 2, 5)",
    "table.concat()",
    "table.concat({1, 2, 3}, nil, 2)",
    "(function() local t = {1, 2} table.insert(t, 1, 0) table.insert(t, 4) return table.concat(t, ',') end)()",
    "(function() local t = {1, 2} table.insert(t, -1, 0) return t[-1], t[0], t[1], t[2], t[3] end)()",
    "(function() local t = {1, 2} table.insert(t, '2', 0) table.insert(t, 9, 3) return t[2], t[3], t[4], t[9] end)()",
    "table.insert({1})",
    "table.insert(nil, 2)",
    "table.insert({}, 'x', 2)",
    "table.insert({}, 1, 2, 3)",
    "(function() local t = {3, 1, 2} table.sort(t) return table.concat(t) end)()",
    "(function() local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return table.concat(t) end)()",
    "os.date('!%Y', 0)",
    "os.date('!*t', 0)",
    "coroutine.resume(coroutine.create(function(a, b) return b, a end), 1, 2)",
    "coroutine.wrap(function(...) error('inside') end)(1)",
    "(function() local f = coroutine.wrap(function() end) f() f() end)()",
};

TEST_CASE("functions of bounded scripts do and say what LuaJIT's own do") {
  std::string code;
  for (const char* each : kCases) {
    code += "show([==[" + std::string(each) + "]==], pcall(function() return " + each + " end))\n";
  }
  for (const char* each : {"string.find, 'x', '['", "string.gsub, 'x', 'x', '%2'", "string.format, '%d', 'x'"}) {
    code += "show('called', pcall(" + std::string(each) + "))\n";
  }
  compare(code, std::size(kCases));
}

TEST_CASE("each character is of the classes that LuaJIT has it in") {
  compare(R"lua(
local all = {}
for i = 0, 255 do all[i + 1] = string.char(i) end
all = table.concat(all)
for i = 1, 255 do
  local c = string.char(i)
  for _, pattern in ipairs{'%' .. c, '[' .. c .. ']', '[^%' .. c .. ']', '[%' .. c .. '-~]', '[!-' .. c .. ']', c} do
    show(i, pcall(string.gsub, all, pattern, ''))
  end
end)lua",
          255 * 6);
}

TEST_CASE("patterns are too complex where they are to LuaJIT") {
  compare(R"lua(
for _, n in ipairs{31, 32, 33, 66, 67, 99, 100, 198, 199, 200, 201} do
  for _, item in ipairs{'a?', 'a*', 'a-', '(a)', '()', '(a', 'b?', 'b*'} do
    show(n .. item, pcall(string.find, ('a'):rep(150), item:rep(n)))
    show(n .. item, pcall(string.find, ('a'):rep(300), item:rep(n)))
  end
end)lua",
          11 * 8 * 2);
}

TEST_CASE("patterns by chance match as LuaJIT has them match") {
  compare(R"lua(
local seed = 1
local function below(n) seed = seed * 16807 % 2147483647 return seed % n + 1 end
local pieces = {'a', 'b', '1', '.', '%a', '%d', '%W', '%g', '%z', '%b()', '%bab', '%b', '%f[ab]', '%f[%W]', '%f',
  '[ab]', '[^a]', '[a-c]', '[%a1]', '[]a]', '[^]b]', '[a-', '[', ']', '(', ')', '(', ')', '(.-)', '(a*)', '()', '%1',
  '%2', '%0', '*', '+', '-', '?', '*', '+', '-', '?', '^', '$', '%', '%%', '%.', '\0', ' '}
local letters = {'a', 'b', 'a', 'b', 'c', '1', '(', ')', ' ', '.', '%', '\0', '\200', 'A'}
local replacements = {'', 'x', '%0', '%1', '<%1%2>', '%%', '%', '%a', 7, 'q%'}
local function some(list, most)
  local all = {}
  for i = 1, below(most) - 1 do all[i] = list[below(#list)] end
  return table.concat(all)
end
for i = 1, 5000 do
  local s, p, init = some(letters, 12), some(pieces, 7), below(8) - 4
  local name = text(s) .. ' ' .. text(p) .. ' ' .. init
  show('find ' .. name, pcall(string.find, s, p, init))
  show('match ' .. name, pcall(function() return s:match(p, init) end))
  show('gmatch ' .. name, pcall(function()
    local all = {}
    for a, b in s:gmatch(p) do all[#all + 1] = text(a) .. text(b) end
    return table.concat(all, ',')
  end))
  local by = replacements[below(#replacements)]
  show('gsub ' .. name .. text(by), pcall(string.gsub, s, p, by, below(3) == 1 and below(3) or nil))
  show('gsub f ' .. name, pcall(string.gsub, s, p, function(a, b) return below(2) == 1 and text(a) .. text(b) end))
  show('gsub t ' .. name, pcall(function() return s:gsub(p, {a = 'A', b = false, [1] = 1, ab = {}}) end))
  show('plain ' .. name, s:find(some(letters, 3), init, true))
end)lua",
          7 * 5000);
}

TEST_CASE("a match takes steps from its owner, who may end it") {
  struct Left {
    size_t steps = 0;
    int calls = 0;
  } taken;
  const auto take = [](void* owner, size_t steps) {
    static_cast<Left*>(owner)->steps += steps;
    ++static_cast<Left*>(owner)->calls;
  };
  const std::string text(300, 'a');
  Matcher matcher(text, ".-.-x", take, &taken);
  const char* at = text.data();
  CHECK(matcher.search(at) == nullptr);
  CHECK(matcher.fault() == nullptr);
  matcher.settle();
  CHECK(taken.steps > 1'000'000);
  CHECK(static_cast<size_t>(taken.calls) < taken.steps / 1000);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::lua
