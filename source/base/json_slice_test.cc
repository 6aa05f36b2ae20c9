#include "source/base/json_slice.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

using Path = std::vector<std::string>;

std::string slice(std::string_view text, const Path& path) {
  REQUIRE(isJson(text));
  return std::string(sliceOf(text, path).value_or("(none)"));
}

TEST_CASE("a part of a text is found by keys and places, as it stands there") {
  const std::string text = R"( {"a": {"b" : [1, {"c":"}]\"" }, -2.5e3 ]}, "d":null} )";

  CHECK(slice(text, {"a", "b", "0"}) == "1");
  CHECK(slice(text, {"a", "b", "1", "c"}) == R"("}]\"")");
  CHECK(slice(text, {"a", "b", "1"}) == R"({"c":"}]\"" })");
  CHECK(slice(text, {"a", "b", "2"}) == "-2.5e3");
  CHECK(slice(text, {"d"}) == "null");
  CHECK(slice(text, {}) == text.substr(1, text.size() - 2));
  CHECK(slice(" 7 ", {}) == "7");
}

TEST_CASE("where nothing stands nothing is found") {
  CHECK(slice("{}", {"a"}) == "(none)");
  CHECK(slice("[]", {"0"}) == "(none)");
  CHECK(slice("[1]", {"1"}) == "(none)");
  CHECK(slice("[1]", {"x"}) == "(none)");
  CHECK(slice("[1]", {"-1"}) == "(none)");
  CHECK(slice(R"({"a": 1})", {"a", "b"}) == "(none)");
}

TEST_CASE("a member is found by its name, at the top only") {
  const std::string object = "{\"x\":{\"books\":1},\"text\":\"books\",\"books\": [ {\"a\":\"}\"} ] ,\"z\":1}";

  CHECK(slice(object, {"books"}) == "[ {\"a\":\"}\"} ]");
  CHECK(slice(object, {"z"}) == "1");
  CHECK(slice(object, {"a"}) == "(none)");
}

TEST_CASE("keys are compared as what they mean, and the last of a name counts") {
  CHECK(slice(R"({"\u0061": 1})", {"a"}) == "1");
  CHECK(slice(R"({"a": 1, "a": 2})", {"a"}) == "2");
}

TEST_CASE("a byte order mark is no part of anything") {
  CHECK(slice("\xef\xbb\xbf{\"a\": 1}", {}) == R"({"a": 1})");
  CHECK(slice("\xef\xbb\xbf{\"a\": 1}", {"a"}) == "1");
}

TEST_CASE("what is no JSON is told apart") {
  CHECK_FALSE(isJson(""));
  CHECK_FALSE(isJson("{"));
  CHECK_FALSE(isJson("1 2"));
  CHECK_FALSE(isJson(std::string_view("1\0", 2)));
  CHECK_FALSE(isJson(std::string_view("{}\0{", 4)));
  CHECK_FALSE(isJson("\"\xff\""));
  CHECK_FALSE(isJson(std::string(1 << 20, '[')));
}

TEST_CASE("the members of an object are had in order") {
  const auto members = [](std::string_view text) {
    std::string out;
    forEachMember(text, [&](std::string_view key, std::string_view value) {
      out += std::string(key) + '=' + std::string(value) + ';';
    });
    return out;
  };

  CHECK(members(R"( {"a" : {"b":1} , "\u0063":[2], "a":"}"})") == R"("a"={"b":1};"\u0063"=[2];"a"="}";)");
  CHECK(members("{ }") == "");
  CHECK(members("[{\"a\": 1}]") == "");
  CHECK(members("7") == "");
}

TEST_CASE("a string means what its escapes say") {
  CHECK(unquoted(R"("a\u00e9\n\"")") == "a\xc3\xa9\n\"");
  CHECK(unquoted("7") == "");
}

TEST_CASE("white space between tokens is taken out, and none within strings") {
  CHECK(compacted(" { \"a b\" :\n[ 1 ,\t-2.5e3, true ], \"c\": { } }\r\n") == R"({"a b":[1,-2.5e3,true],"c":{}})");
  CHECK(compacted(R"( "\" , " )") == R"("\" , ")");
  CHECK(compacted(" 7 ") == "7");
}

}  // namespace
}  // namespace sluice::base
