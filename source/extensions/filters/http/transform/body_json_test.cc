#include "source/extensions/filters/http/transform/body_json.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::http_filters::transform {
namespace {

std::string read(std::string_view text, const stream::BodyPath& path) {
  const auto values = readValues(text, {path});
  if (!values) return "(unread)";
  const auto& value = values->front();
  if (!value) return "(none)";
  return (value->json ? "json " : "text ") + value->text;
}

std::string merge(std::string_view text, std::string_view changes) {
  REQUIRE(readValues(text, {}));
  return merged(text, changes).value_or("(none)");
}

TEST_CASE("values are found by keys, texts without their quotes and others in one line") {
  const std::string text = R"( {"a": {"b": "x\n\"", "n" : 12345678901234567890, "l": [ 1,
      {"c" : null} ]}, "f": false, "z": null} )";

  CHECK(read(text, {"a", "b"}) == "text x\n\"");
  CHECK(read(text, {"a", "n"}) == "json 12345678901234567890");
  CHECK(read(text, {"a", "l"}) == R"(json [1,{"c":null}])");
  CHECK(read(text, {"f"}) == "json false");
  CHECK(read(text, {"z"}) == "(none)");
  CHECK(read(text, {"a", "x"}) == "(none)");
  CHECK(read(text, {"f", "x"}) == "(none)");
  CHECK(read(text, {"x", "y"}) == "(none)");
  CHECK(read(R"({ "a" : 1 })", {}) == R"(json {"a":1})");
  CHECK(read(R"({"a": ""})", {"a"}) == "text ");
}

TEST_CASE("only objects are read, and none in which a key that is asked for is ambiguous") {
  for (const char* text : {"", "7", "[]", "null", "{", R"({"a":1}})", "\xef\xbb\xbf{}"}) {
    INFO(text);
    CHECK(read(text, {"a"}) == "(unread)");
  }
  CHECK(read(R"({"a": 1, "a": 1})", {"a"}) == "(unread)");
  CHECK(read(R"({"a": 1, "\u0061": 1})", {"a"}) == "(unread)");
  CHECK(read(R"({"b": {"a": 1}, "b": {"a": 1}})", {"b", "a"}) == "(unread)");
  CHECK(read(R"({"a": 1, "b": 1, "b": 2})", {"a"}) == "json 1");
}

TEST_CASE("members of the same key are replaced, others stay as they stand there") {
  CHECK(merge(R"({"a": 1.50, "b" : {"x": 1}, "c":2})", R"({"b":{"y":2},"d":3})") ==
        R"({"a":1.50,"c":2,"b":{"y":2},"d":3})");
  CHECK(merge(R"({"\u0061": 1, "a": 2})", R"({"a":3})") == R"({"a":3})");
  CHECK(merge("{}", "{}") == "{}");
  CHECK(merge("{}", " {\"a\": 1}\n") == R"({"a":1})");
  CHECK(merge(R"({"a":1})", "{}") == R"({"a":1})");
}

TEST_CASE("changes that are no object, or ambiguous, are none") {
  CHECK(merge("{}", "7") == "(none)");
  CHECK(merge("{}", "") == "(none)");
  CHECK(merge("{}", "{\"a\":1") == "(none)");
  CHECK(merge("{}", R"({"a":1,"a":2})") == "(none)");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::transform
