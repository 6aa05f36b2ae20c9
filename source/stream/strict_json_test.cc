#include "source/stream/strict_json.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::stream {
namespace {

std::string nested(size_t depth) {
  std::string text = R"({"a":)";
  for (size_t i = 1; i < depth; ++i) text += '[';
  for (size_t i = 1; i < depth; ++i) text += ']';
  return depth == 1 ? "{}" : text + "}";
}

template <typename T>
T valueAt(const MetadataFields& fields, std::string_view name, const std::vector<std::string>& path = {}) {
  const MetadataValue* const value = findMetadata(fields, name, path);
  REQUIRE(value != nullptr);
  return std::get<T>(value->value);
}

TEST_CASE("an object of JSON becomes fields in their order") {
  const auto read = readStrictJson(R"( {"t":"\u00e4\n","n":-1.5e2,"i":7,"u":18446744073709551615,"b":true,"z":null,
                                        "o":{"x":{"y":"deep"}},"l":[1,"two",[],{}],"e":{}} )");

  REQUIRE(read.has_value());
  CHECK(read->front().name == "t");
  CHECK(read->back().name == "e");
  CHECK(valueAt<std::string>(*read, "t") == "\xc3\xa4\n");
  CHECK(valueAt<double>(*read, "n") == -150);
  CHECK(valueAt<double>(*read, "i") == 7);
  CHECK(valueAt<double>(*read, "u") == 18446744073709551615.0);
  CHECK(valueAt<bool>(*read, "b"));
  CHECK(std::holds_alternative<std::monostate>(findMetadata(*read, "z", {})->value));
  CHECK(valueAt<std::string>(*read, "o", {"x", "y"}) == "deep");
  const auto list = valueAt<MetadataList>(*read, "l");
  REQUIRE(list.size() == 4);
  CHECK(std::get<std::string>(list[1].value) == "two");
  CHECK(std::get<MetadataList>(list[2].value).empty());
  CHECK(std::get<MetadataFields>(list[3].value).empty());
  CHECK(readStrictJson("{}")->empty());
}

TEST_CASE("what is no object of JSON is refused") {
  for (const std::string_view text : {"",
                                      " ",
                                      "null",
                                      "1",
                                      "\"a\"",
                                      "[]",
                                      "[{}]",
                                      "{",
                                      "}",
                                      "{}}",
                                      "{} {}",
                                      "{}x",
                                      "{\"a\":1,}",
                                      "{'a':1}",
                                      "{a:1}",
                                      "{\"a\":01}",
                                      "{\"a\":NaN}",
                                      "{\"a\":Infinity}",
                                      "{\"a\":+1}",
                                      "{\"a\":.5}",
                                      "{\"a\":1.}",
                                      "{\"a\" 1}",
                                      "{\"a\":\"\t\"}",
                                      "// \n{}",
                                      "{/**/}",
                                      "\xef\xbb\xbf{}"}) {
    INFO(text);
    CHECK(readStrictJson(text) == std::nullopt);
  }
  CHECK(readStrictJson(std::string_view("{}\0", 3)) == std::nullopt);
  CHECK(readStrictJson(std::string_view("{}\0garbage", 10)) == std::nullopt);
  CHECK(readStrictJson(std::string_view("{\"a\0\":1}", 8)) == std::nullopt);
}

TEST_CASE("two members of one name are refused at every level, however they are written") {
  CHECK(readStrictJson(R"({"a":1,"A":2,"b":{"a":1},"c":[{"a":1},{"a":1}]})").has_value());
  for (const std::string_view text : {R"({"a":1,"a":1})", R"({"a":1,"b":2,"\u0061":3})", R"({"o":{"a":1,"a":2}})",
                                      R"({"l":[[{"a":1,"b":1,"a":2}]]})", R"({"":1,"":2})"}) {
    INFO(text);
    CHECK(readStrictJson(text) == std::nullopt);
  }
}

TEST_CASE("objects and lists nest 32 deep and no deeper") {
  CHECK(readStrictJson(nested(1)).has_value());
  CHECK(readStrictJson(nested(kStrictJsonDepth)).has_value());
  CHECK(readStrictJson(nested(kStrictJsonDepth + 1)) == std::nullopt);
  CHECK(readStrictJson(nested(100'000)) == std::nullopt);
  CHECK(readStrictJson("{\"a\":" + std::string(100'000, '[')) == std::nullopt);
}

TEST_CASE("text that is not UTF-8, and half a surrogate pair, are refused") {
  CHECK(readStrictJson("{\"a\":\"\xf0\x9f\x98\x80\",\"b\":\"\\ud83d\\ude00\"}").has_value());
  for (const std::string_view text :
       {"{\"a\":\"\xff\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc3\"}", "{\"\x80\":1}",
        "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\ud800x\"}"}) {
    INFO(text);
    CHECK(readStrictJson(text) == std::nullopt);
  }
}

TEST_CASE("numbers are finite") {
  CHECK(valueAt<double>(*readStrictJson(R"({"a":1e308})"), "a") == 1e308);
  CHECK(valueAt<double>(*readStrictJson(R"({"a":1e-999})"), "a") == 0);
  CHECK(readStrictJson(R"({"a":1e309})") == std::nullopt);
  CHECK(readStrictJson(R"({"a":[-1e999]})") == std::nullopt);
  CHECK(readStrictJson("{\"a\":" + std::string(400, '9') + "}") == std::nullopt);
}

}  // namespace
}  // namespace sluice::stream
