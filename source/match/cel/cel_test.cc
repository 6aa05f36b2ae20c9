// The language by its published definition: what each expression is worth.
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "source/match/cel/parser.h"
#include "source/match/cel/program.h"
#include "source/match/cel/test_source.h"

namespace sluice::match::cel {
namespace {

std::string valueOf(std::string_view text) {
  const auto program = Program::compile(text, kTestVocabulary);
  if (!program.ok()) return "refused: " + std::string(program.status().message());
  const TestSource source;
  Memory memory(1 << 20, 100'000);
  return show((*program)->evaluate(source, memory), memory);
}

struct Case {
  std::string_view text, value;
};

template <size_t kSize>
void check(const Case (&cases)[kSize]) {
  for (const auto& [text, value] : cases) {
    INFO(text);
    CHECK(valueOf(text) == value);
  }
}

constexpr std::string_view kNoOverload = "error: no such overload";
constexpr std::string_view kRange = "error: out of range";

TEST_CASE("literals are what they say", "[cel]") {
  check({
      {"null", "null"},
      {"true", "true"},
      {"0", "0"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775807", "9223372036854775807"},
      {"0x7f", "127"},
      {"-0x8000000000000000", "-9223372036854775808"},
      {"18446744073709551615u", "18446744073709551615u"},
      {"0xFFu", "255u"},
      {"1.5", "1.5"},
      {".25", "0.25"},
      {"-2e3", "-2000"},
      {"6.02E+23", "6.02e+23"},
      {"'a' \"b\"", "refused: 1:5: found '\"b\"', expected an operator or the end"},
      {"'\\x41\\101\\u00e9\\U0001F600\\n'", "'AA\xc3\xa9\xf0\x9f\x98\x80\n'"},
      {"r'\\n\\x'", "'\\n\\x'"},
      {"R\"a\\\"", "'a\\'"},
      {"'''a'b\nc'''", "'a'b\nc'"},
      {"\"\"\"say \"x\" \"\"\"", "'say \"x\" '"},
      {"b'\\xff\\377'", "b'\xff\xff'"},
      {"B'''x'''", "b'x'"},
      {"br'\\x41'", "b'\\x41'"},
      {"b'\xc3\xa9' == b'\\xc3\\xa9'", "true"},
      {"[1, 'a', [true],]", "[1, 'a', [true]]"},
      {"{'a': 1, 2: 'b', true: 3u,}", "{'a': 1, 2: 'b', true: 3u}"},
      {"[]", "[]"},
      {"{}", "{}"},
      {"1 // one\n + 1", "2"},
  });
}

TEST_CASE("operators bind as the grammar says", "[cel]") {
  check({
      {"1 + 2 * 3", "7"},
      {"(1 + 2) * 3", "9"},
      {"10 - 4 - 3", "3"},
      {"100 / 10 / 5", "2"},
      {"7 % 4 * 2", "6"},
      {"-2 + 3", "1"},
      {"3 - -2", "5"},
      {"--5", "5"},
      {"!!true", "true"},
      {"1 < 2 == true", "true"},
      {"false || true && false", "false"},
      {"true || false ? 1 : 2", "1"},
      {"false ? 1 : true ? 2 : 3", "2"},
      {"1 in [1] && 2 in [2]", "true"},
      {"[1, 2][1] + 1", "3"},
      {"{'a': {'b': [7]}}.a.b[0]", "7"},
      {"{'a-b': 1}.`a-b`", "1"},
      {"{'in': 1, 'if': 2}.if", "2"},
      {"'a'.size() + size('bc')", "3"},
      {"2 == 1 + 1 && 3 != 4", "true"},
  });
}

TEST_CASE("logical operators take an error only where nothing decides", "[cel]") {
  check({
      {"false && 1 / 0 > 0", "false"},
      {"1 / 0 > 0 && false", "false"},
      {"1 / 0 > 0 && true", "error: division by zero"},
      {"true || 1 / 0 > 0", "true"},
      {"1 / 0 > 0 || true", "true"},
      {"1 / 0 > 0 || false", "error: division by zero"},
      {"false || false || 1 / 0 > 0 || true", "true"},
      {"dyn('x') && false", "false"},
      {"dyn('x') && true", kNoOverload},
      {"true ? 1 : 1 / 0", "1"},
      {"false ? 1 / 0 : 2", "2"},
      {"1 / 0 > 0 ? 1 : 2", "error: division by zero"},
      {"!(1 / 0 > 0)", "error: division by zero"},
  });
}

TEST_CASE("numbers are compared by what they are worth", "[cel]") {
  check({
      {"1 == 1u && 1u == 1.0 && 1.0 == 1", "true"},
      {"dyn(1) == dyn('1')", "false"},
      {"1 != 1.5", "true"},
      {"-1 < 0u", "true"},
      {"18446744073709551615u > -1", "true"},
      {"9223372036854775807 < 9223372036854775808.0", "true"},
      {"9223372036854775807 == 9223372036854775808.0", "false"},
      {"9007199254740993 == 9007199254740992.0", "false"},
      {"18446744073709551615u < 18446744073709551616.0", "true"},
      {"1.5 > 1 && 1.5 < 2u && -1.5 < -1", "true"},
      {"0.0 / 0.0 == 0.0 / 0.0", "false"},
      {"0.0 / 0.0 != 1.0", "true"},
      {"1 < 0.0 / 0.0 || 1 >= 0.0 / 0.0", "false"},
      {"1 in [2u, 1.0]", "true"},
      {"{1: 'a'}[1u] + {1u: 'b'}[1.0]", "'ab'"},
      {"[1, 2u] == [1.0, 2]", "true"},
      {"{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1u}", "true"},
      {"{'a': 1} == {'a': 2}", "false"},
      {"[1] == [1, 2]", "false"},
      {"null == null && dyn(null) != dyn(0)", "true"},
      {"b'a' == dyn('a')", "false"},
      {"'a' < 'b' && 'Z' < 'a' && 'a' < 'aa' && '\xc3\xa9' > 'z'", "true"},
      {"b'\\xff' > b'a' && false < true", "true"},
      {"dyn('a') < dyn(1)", kNoOverload},
      {"[1] < [2]", kNoOverload},
  });
}

TEST_CASE("arithmetic does not leave its type", "[cel]") {
  check({
      {"9223372036854775807 + 1", kRange},
      {"-9223372036854775808 - 1", kRange},
      {"9223372036854775807 * 2", kRange},
      {"-(-9223372036854775808)", kRange},
      {"-9223372036854775808 / -1", kRange},
      {"-9223372036854775808 % -1", kRange},
      {"1u - 2u", kRange},
      {"18446744073709551615u + 1u", kRange},
      {"-7 / 2", "-3"},
      {"-7 % 2", "-1"},
      {"7u / 2u", "3u"},
      {"1 / 0", "error: division by zero"},
      {"1u % 0u", "error: division by zero"},
      {"1.0 / 0.0", "inf"},
      {"dyn(1) + dyn(1u)", kNoOverload},
      {"dyn(1.0) % dyn(2.0)", kNoOverload},
      {"'a' + 'b' + ''", "'ab'"},
      {"b'a' + b'b'", "b'ab'"},
      {"[1] + [] + [2, 'x']", "[1, 2, 'x']"},
  });
}

TEST_CASE("containers answer for what is in them", "[cel]") {
  check({
      {"[1, 2][2]", "error: index out of range"},
      {"[1, 2][-1]", "error: index out of range"},
      {"[1, 2][1.0]", "2"},
      {"[1, 2][dyn(0.5)]", kNoOverload},
      {"{'a': 1}['b']", "error: no such key"},
      {"{'a': 1}.b", "error: no such key"},
      {"dyn(1).b", kNoOverload},
      {"has({'a': 1}.a) && !has({'a': 1}.b)", "true"},
      {"has({'a': {}}.a.b)", "false"},
      {"has({}.a.b)", "error: no such key"},
      {"'a' in {'a': 1} && !('b' in {'a': 1})", "true"},
      {"3 in [1, 2]", "false"},
      {"{'a': 1, 'a': 2}", "error: a key stands twice in a map"},
      {"{1: 1, 1u: 2}", "error: a key stands twice in a map"},
      {"{dyn(1.5): 1}", "error: a key is of a type that keys cannot have"},
      {"size([1, 2]) + size({'a': 1}) + size(b'abc') + size('\xc3\xa9\xf0\x9f\x98\x80')", "8"},
      {"[[1], [2]].size()", "2"},
  });
}

TEST_CASE("macros walk over lists and keys", "[cel]") {
  check({
      {"[1, 2, 3].all(x, x > 0)", "true"},
      {"[1, 2, 3].all(x, x > 1)", "false"},
      {"[].all(x, false)", "true"},
      {"[0, 1].all(x, 1 / x > 5)", "false"},
      {"[1, 0].all(x, 1 / x > 0)", "error: division by zero"},
      {"[1, 0].exists(x, 1 / x > 0)", "true"},
      {"[0, 1].exists(x, 1 / x > 0)", "true"},
      {"[0].exists(x, 1 / x > 0)", "error: division by zero"},
      {"[1, 2, 2].exists_one(x, x == 1)", "true"},
      {"[1, 2, 2].exists_one(x, x == 2)", "false"},
      {"[1, 0].exists_one(x, 1 / x == 1)", "error: division by zero"},
      {"[1, 2, 3].map(x, x * x)", "[1, 4, 9]"},
      {"[1, 2, 3].map(x, x > 1, x + 0)", "[2, 3]"},
      {"[1, 2, 3].filter(x, x % 2 == 1)", "[1, 3]"},
      {"{'a': 1, 'b': 2}.filter(k, k != 'a')", "['b']"},
      {"{'a': 1}.all(k, k == 'a')", "true"},
      {"[[1, 2], [3]].map(x, x.map(y, y + size(x)))", "[[3, 4], [4]]"},
      {"[1, 2].map(x, [3].map(x, x)[0] + x)", "[4, 5]"},
      {"[1].map(x, x) + [2].map(x, x)", "[1, 2]"},
      {"[[1, 2, 3].filter(x, x > 1)].map(l, l + [9])", "[[2, 3, 9]]"},
      {"flags.exists(f, f == 2)", "true"},
      {"dyn(1).all(x, true)", kNoOverload},
      {"[1].all(.x, true)", "refused: 1:10: expected a plain name for the elements"},
      {"has(1)", "refused: 1:1: has() takes a field: has(value.field)"},
      {"[1].map(x, y)", "refused: 1:12: 'y' is unknown; there are request, flags"},
  });
}

TEST_CASE("functions of text", "[cel]") {
  check({
      {"'abc'.contains('b') && !'abc'.contains('x')", "true"},
      {"'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'a'.contains('')", "true"},
      {"contains('abc', 'b') && startsWith('abc', 'ab') && endsWith('abc', 'bc')", "true"},
      {"contains('abc', 'x') || startsWith('abc', 'bc') || endsWith('abc', 'ab')", "false"},
      {"'abc'.matches('^a.c$') && matches('xabcx', 'b')", "true"},
      {"'\xc3\xa9'.matches('^.$')", "true"},
      {"'abc'.matches('a' + '.')", "true"},
      {"'abc'.matches('(' + '')", "error: the pattern is no regular expression"},
      {"dyn(1).contains('a')", kNoOverload},
      {"'aBc'.lowerAscii() + 'aBc'.upperAscii()", "'abcABC'"},
      {"' \\ta '.trim()", "'a'"},
      {"'a-b-c'.replace('-', '+')", "'a+b+c'"},
      {"'a-b-c'.replace('-', '', 1)", "'ab-c'"},
      {"'a-b-c'.replace('-', '+', 0)", "'a-b-c'"},
      {"'a\xc3\xa9z'.replace('', '-')", "'-a-\xc3\xa9-z-'"},
      {"'abc'.replace('', '-', 2)", "'-a-bc'"},
      {"'abc'.replace('', '-', 0)", "'abc'"},
      {"''.replace('', '-')", "'-'"},
      {"'a,b,c'.split(',')", "['a', 'b', 'c']"},
      {"'a,b,c'.split(',', 2)", "['a', 'b,c']"},
      {"'a,b'.split(',', 0)", "[]"},
      {"'a\xc3\xa9'.split('')", "['a', '\xc3\xa9']"},
      {"['a', 'b'].join() + ['a', 'b'].join('-')", "'aba-b'"},
      {"[dyn(1)].join()", kNoOverload},
  });
}

TEST_CASE("conversions keep to their ranges", "[cel]") {
  check({
      {"string(0.0 / 0.0) + string(-(0.0 / 0.0))", "'nannan'"},
      {"int(3u) + int(-3.9) + int('-5')", "-5"},
      {"int(9223372036854775808u)", kRange},
      {"int(9223372036854775808.0)", kRange},
      {"int('1.5')", "error: the text is no value of that type"},
      {"int('')", "error: the text is no value of that type"},
      {"int(timestamp('1970-01-01T00:01:00Z'))", "60"},
      {"uint(3) + uint(2.9) + uint('4')", "9u"},
      {"uint(-1)", kRange},
      {"uint(-0.5)", kRange},
      {"double(1) + double(2u) + double('0.5')", "3.5"},
      {"double('x')", "error: the text is no value of that type"},
      {"string(1) + string(2u) + string(1.5) + string(true) + string(b'x') + string('y')", "'121.5truexy'"},
      {"string(b'\\xff')", "error: the bytes are no UTF-8"},
      {"string(timestamp('2026-01-31T12:00:00.5Z'))", "'2026-01-31T12:00:00.5Z'"},
      {"string(duration('90m1ms'))", "'5400.001s'"},
      {"bytes('a\xc3\xa9')", "b'a\xc3\xa9'"},
      {"bool('true') && !bool('F')", "true"},
      {"bool('yes')", "error: the text is no value of that type"},
      {"type(1) == int && type(1u) == uint && type(type(1)) == type", "true"},
      {"[type(null), type(''), type(b''), type([]), type({}), type(1.0), type(true)]",
       "[null_type, string, bytes, list, map, double, bool]"},
      {"type(timestamp(0)) == google.protobuf.Timestamp", "true"},
      {"type(duration('1s')) == google.protobuf.Duration", "true"},
      {"string(null)", "refused: 1:1: string does not take (null_type)"},
  });
}

TEST_CASE("timestamps and durations", "[cel]") {
  check({
      {"timestamp('2009-02-13T23:31:30Z') == timestamp(1234567890)", "true"},
      {"timestamp('2026-03-01T00:30:00+01:00')", "2026-02-28T23:30:00Z"},
      {"timestamp('2024-02-29T00:00:00Z') + duration('24h')", "2024-03-01T00:00:00Z"},
      {"timestamp('2025-02-29T00:00:00Z')", "error: the text is no value of that type"},
      {"timestamp('2025-02-28')", "error: the text is no value of that type"},
      {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", kRange},
      {"timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", kRange},
      {"timestamp(253402300800)", kRange},
      {"timestamp(10) - timestamp(20)", "-10s"},
      {"timestamp(10) - duration('0.5s')", "1970-01-01T00:00:09.5Z"},
      {"duration('1s') + timestamp(0)", "1970-01-01T00:00:01Z"},
      {"duration('1h') + duration('-1.5s') - duration('2ms')", "3598.498s"},
      {"duration('-0.5s')", "-0.5s"},
      {"duration('1us') + duration('1ns')", "0.000001001s"},
      {"duration('1')", "error: the text is no value of that type"},
      {"duration('315576000001s')", "error: the text is no value of that type"},
      {"duration('315576000000s') + duration('1ns')", kRange},
      {"timestamp(1) < timestamp(2) && duration('1m') > duration('59s')", "true"},
      {"timestamp('2026-01-31T23:04:05.678Z').getFullYear()", "2026"},
      {"timestamp('2026-01-31T23:04:05.678Z').getMonth()", "0"},
      {"timestamp('2026-01-31T23:04:05.678Z').getDate()", "31"},
      {"timestamp('2026-01-31T23:04:05.678Z').getDayOfMonth()", "30"},
      {"timestamp('2026-01-31T23:04:05.678Z').getDayOfWeek()", "6"},
      {"timestamp('2026-01-31T23:04:05.678Z').getDayOfYear()", "30"},
      {"timestamp('2026-01-31T23:04:05.678Z').getHours()", "23"},
      {"timestamp('2026-01-31T23:04:05.678Z').getMinutes()", "4"},
      {"timestamp('2026-01-31T23:04:05.678Z').getSeconds()", "5"},
      {"timestamp('2026-01-31T23:04:05.678Z').getMilliseconds()", "678"},
      {"timestamp('2026-01-31T23:04:05Z').getMonth('+01:00')", "1"},
      {"timestamp('2026-01-31T23:04:05Z').getHours('-02:30')", "20"},
      {"timestamp('2026-01-31T23:04:05Z').getHours('UTC')", "23"},
      {"timestamp('2026-01-31T23:04:05Z').getHours('02' + ':00')", "1"},
      {"timestamp('2026-01-31T23:04:05Z').getHours('Mars/Base')",
       "refused: 1:35: 'Mars/Base' is no time zone that is known here; write a name of the IANA database, 'UTC', or an "
       "offset as '+01:00'"},
      {"timestamp('1969-12-31T23:59:59Z').getSeconds()", "59"},
      {"duration('90m').getHours()", "1"},
      {"duration('90m').getMinutes()", "90"},
      {"duration('-1.5s').getSeconds()", "-1"},
      {"duration('123.321s').getMilliseconds()", "321"},
  });
}

TEST_CASE("attributes are looked up by name, and only when needed", "[cel]") {
  check({
      {"request.path", "'/shop/cart?id=7'"},
      {".request.path.startsWith('/shop')", "true"},
      {"request['path'] == request.path", "true"},
      {"request.headers['host'] + request.headers.host", "'a.testa.test'"},
      {"has(request.headers.cookie) || has(request.absent)", "false"},
      {"has(request.headers) && has(request.path)", "true"},
      {"request.absent + 1", "error: no such attribute"},
      {"request.absent > 1 || true", "true"},
      {"request.headers.exists(h, h.startsWith('x-'))", "true"},
  });
  const auto program = Program::compile("false && request.path == ''", kTestVocabulary);
  const TestSource source;

  CHECK_FALSE((*program)->holds(source));

  CHECK(source.asked == 0);
}

TEST_CASE("what cannot be meant is refused with its place", "[cel]") {
  check({
      {"", "refused: 1:1: found the end, expected a value"},
      {"1 +", "refused: 1:4: found the end, expected a value"},
      {"(1", "refused: 1:3: found the end, expected ')'"},
      {"[1 2]", "refused: 1:4: found '2', expected ',' or ']'"},
      {"f(1,)", "refused: 1:5: found ')', expected an argument"},
      {"{'a' 1}", "refused: 1:6: found '1', expected ':'"},
      {"a.", "refused: 1:3: found the end, expected a name"},
      {"'abc", "refused: 1:1: the text has no end; expected '"},
      {"'a\nb'", "refused: 1:1: the text has no end; expected '"},
      {"'\\q'", "refused: 1:2: no such escape; write \\\\ for a backslash, or r'...' for a raw text"},
      {"'\\ud800'", "refused: 1:2: no such escape; write \\\\ for a backslash, or r'...' for a raw text"},
      {"b'\\u0041'", "refused: 1:3: no such escape; write \\\\ for a backslash, or r'...' for a raw text"},
      {"true\n && @", "refused: 2:5: '@' has no meaning here"},
      {"'\xc3\xa9' + $", "refused: 1:7: '$' has no meaning here"},
      {"1 = 1", "refused: 1:3: '=' has no meaning here"},
      {"9223372036854775808", "refused: 1:1: 9223372036854775808 is out of the range of an int"},
      {"-1u", "refused: 1:2: a uint has no sign: -1u"},
      {"0x", "refused: 1:1: '0x' is no number"},
      {"12ab", "refused: 1:1: '12ab' is no number"},
      {"1e999", "refused: 1:1: 1e999 is out of the range of a double"},
      {"if", "refused: 1:1: 'if' is a reserved word and cannot be a name"},
      {"Point{x: 1}",
       "refused: 1:6: found '{', expected no '{': messages cannot be made here; use a map, {'key': value}"},
      {"request",
       "refused: 1:1: 'request' is no value by itself; there are request.path, request.headers, "
       "request.absent"},
      {"request.color",
       "refused: 1:9: 'request.color' is unknown; there are request.path, request.headers, "
       "request.absent"},
      {"request.weather", "refused: 1:9: attribute 'request.weather' is not supported here; remove it"},
      {"colour == 1", "refused: 1:1: 'colour' is unknown; there are request, flags"},
      {"foo(1)", "refused: 1:1: there is no function foo()"},
      {"size(1, 2)", "refused: 1:1: function size() is not called with 2 arguments without a value in front"},
      {"1 + 'a'", "refused: 1:3: _+_ does not take (int, string)"},
      {"request.path && true", "refused: 1:9: expected a bool, this is a string"},
      {"1 ? 2 : 3", "refused: 1:1: expected a bool, this is a int"},
      {"{1.5: 1}", "refused: 1:2: a key cannot be a double"},
  });
  CHECK(valueOf("'a'.matches('(')").starts_with("refused: 1:5: '(' is no regular expression that RE2 takes"));
}

// --- bounds ----------------------------------------------------------------------------------------------------------

std::string repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST_CASE("depth, length and number of parts are bounded", "[cel]") {
  for (const std::string_view open : {"(", "[", "!", "-", "{'a':", "size(", "true ? true : ", "[0].map(x, ", "a["}) {
    INFO(open);
    CHECK(valueOf(repeated(open, 60'000 / static_cast<int>(open.size()))).starts_with("refused: "));
  }
  CHECK(valueOf("1" + repeated("+1", 3000)).find("levels deep") != std::string::npos);
  CHECK(valueOf("[" + repeated("1,", 20'000) + "]").find("parts") != std::string::npos);
  CHECK(valueOf(repeated(" ", 70'000)).find("bytes") != std::string::npos);
  CHECK(valueOf(repeated("true && ", 3000) + "true") == "true");
  CHECK(valueOf(repeated("(", 100) + "1" + repeated(")", 100)) == "1");
  CHECK(valueOf("1" + repeated("+1", 100)) == "101");
  CHECK(valueOf("[1].map(a,[1].map(b,[1].map(c,[1].map(d,[1].map(e,[1].map(f,[1].map(g,[1].map(h,[1].map(i,1)))))))))")
            .find("more than 8 macros") != std::string::npos);
}

std::string evaluated(std::string_view text, Limits limits) {
  const auto program = Program::compile(text, kTestVocabulary);
  if (!program.ok()) return std::string(program.status().message());
  const TestSource source;
  Memory memory(limits.bytes, limits.steps);
  return show((*program)->evaluate(source, memory), memory);
}

TEST_CASE("steps and memory are bounded", "[cel]") {
  const std::string tens = "[0,1,2,3,4,5,6,7,8,9]";
  std::string product = "true";
  for (const char name : std::string("abcdef")) product = tens + ".all(" + name + ", " + product + ")";

  CHECK(evaluated(product, {1 << 20, 100'000}) == "error: the expression takes more steps than it may");
  CHECK(evaluated("flags.map(x, [x, x, x, x, x, x, x, x]).map(y, y + y + y + y)" + repeated(".map(z, z + z)", 12),
                  {1 << 16, 1'000'000}) == "error: the expression needs more memory than it may have");
  CHECK(evaluated("flags.size() == 3", {0, 100}) == "true");
}

TEST_CASE("what texts and patterns cost is paid in steps", "[cel]") {
  const std::string text = "'" + std::string(6400, 'a') + "'";
  for (const std::string_view relation : {" == ", " != ", " < ", " >= "}) {
    INFO(relation);
    const std::string comparison = text + std::string(relation) + text;
    CHECK(evaluated(comparison, {1 << 20, 50}) == "error: the expression takes more steps than it may");
    CHECK(!evaluated(comparison, {1 << 20, 200}).starts_with("error"));
  }
  CHECK(evaluated(text + ".matches('.{200}' + 'b')", {1 << 20, 100'000}) ==
        "error: the expression takes more steps than it may");
  CHECK(evaluated("'abc'.matches('b' + 'c')", {1 << 20, 3'000}) == "true");
  CHECK(evaluated("size({'a': 1, 'b': 2, 'c': 3})", {1 << 20, 11}) ==
        "error: the expression takes more steps than it may");
}

// What is not known because nothing may be spent any more is not "no": a denial must not become a permission.
TEST_CASE("what is there is never missing for want of steps", "[cel]") {
  for (const std::string_view text :
       {"!('b' in {'a': 1, 'b': 2})", "!has({'a': 1, 'b': 2}.b)", "!has(request.headers.host)"}) {
    INFO(text);
    for (size_t steps = 0; steps < 30; ++steps) {
      INFO(steps);
      CHECK(evaluated(text, {1 << 20, steps}) != "true");
    }
    CHECK(evaluated(text, {1 << 20, 30}) == "false");
  }
}

// A tree may do what no macro does: an accumulator that holds itself, deeper and deeper.
TEST_CASE("values nested without end are not followed to their end", "[cel]") {
  Ast ast;
  const auto add = [&ast](Node node) {
    ast.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast.nodes.size() - 1);
  };
  const auto nested = [&] {
    const NodeId tens = add({.kind = Node::Kind::kList});
    for (int i = 0; i < 1000; ++i) {
      const NodeId one = add({.kind = Node::Kind::kConstant, .constant = int64_t{1}});
      ast.nodes[tens].parts.push_back(one);
    }
    const NodeId init = add({.kind = Node::Kind::kList});
    const NodeId condition = add({.kind = Node::Kind::kConstant, .constant = true});
    const NodeId left = add({.kind = Node::Kind::kIdent, .name = "acc"});
    const NodeId right = add({.kind = Node::Kind::kIdent, .name = "acc"});
    const NodeId step = add({.kind = Node::Kind::kList, .parts = {left, right}});
    const NodeId result = add({.kind = Node::Kind::kIdent, .name = "acc"});
    return add(
        {.kind = Node::Kind::kFold, .name = "x", .second = "acc", .parts = {tens, init, condition, step, result}});
  };
  const NodeId a = nested(), b = nested();
  ast.root = add({.kind = Node::Kind::kCall, .name = "_==_", .parts = {a, b}});
  const auto program = Program::compile(std::move(ast), kTestVocabulary);
  REQUIRE(program.ok());
  const TestSource source;
  Memory memory(1 << 20, 100'000);

  const Value value = (*program)->evaluate(source, memory);

  CHECK(value.isError());
}

TEST_CASE("what a value certainly is, is known when it is compiled", "[cel]") {
  const auto kindOf = [](std::string_view text) { return (*Program::compile(text, kTestVocabulary))->kind(); };

  CHECK(kindOf("request.path") == Value::Kind::kString);
  CHECK(kindOf("1") == Value::Kind::kInt);
  CHECK(kindOf("true || false") == Value::Kind::kBool);
  CHECK(kindOf("request.headers.host") == std::nullopt);
}

}  // namespace
}  // namespace sluice::match::cel
