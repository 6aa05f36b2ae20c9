#include "source/extensions/filters/http/json_to_metadata/json_values.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::http_filters::json_to_metadata {
namespace {

const std::vector<JsonPath> kPaths{{"a"}, {"a", "b"}};

// What stands at a.b.
std::optional<JsonScalar> valueOf(std::string_view text) {
  const auto found = readJsonValues(text, kPaths);
  REQUIRE(found);
  return (*found)[1];
}

TEST_CASE("values are found by the keys that lead to them") {
  CHECK(valueOf(R"({"a": {"b": "x"}})") == JsonScalar("x"));
  CHECK(valueOf(R"({"b": 1, "a": {"a": {"b": 2}, "b": 3}, "c": {"b": 4}})") == JsonScalar(int64_t{3}));
  CHECK(valueOf(R"({"a": {"b": -2.5}})") == JsonScalar(-2.5));
  CHECK(valueOf(R"({"a": {"b": true}})") == JsonScalar(true));
  CHECK(valueOf(R"({"a": {"b": 18446744073709551615}})") == JsonScalar(18446744073709551615.0));
}

TEST_CASE("where no scalar stands there is none") {
  CHECK_FALSE(valueOf(R"({"a": 1})"));
  CHECK_FALSE(valueOf(R"({"a": {"b": null, "c": 1}})"));
  CHECK_FALSE(valueOf(R"({"a": {"b": {"b": 1}}})"));
  CHECK_FALSE(valueOf(R"({"a": {"b": [1, {"b": 2}], "c": 3}})"));
  CHECK_FALSE(valueOf(R"({"a": [{"b": 1}]})"));
  CHECK_FALSE(valueOf(R"([{"a": {"b": 1}}])"));
  CHECK_FALSE(valueOf(R"({"x": {"a": {"b": 1}}})"));
  CHECK_FALSE(valueOf("7"));
}

TEST_CASE("of a key that is there twice the last one counts") {
  CHECK(valueOf(R"({"a": {"b": 1}, "a": {"b": 2}})") == JsonScalar(int64_t{2}));
  CHECK_FALSE(valueOf(R"({"a": {"b": 1}, "a": {}})"));
}

TEST_CASE("what is no JSON is told apart") {
  CHECK_FALSE(readJsonValues("", kPaths));
  CHECK_FALSE(readJsonValues(R"({"a": {"b": 1})", kPaths));
  CHECK_FALSE(readJsonValues(R"({"a": 1} x)", kPaths));
  CHECK_FALSE(readJsonValues(std::string("{\"a\": 1}\0{\"a\": 2}", 17), kPaths));
  CHECK_FALSE(readJsonValues("{\"a\": \"\xff\"}", kPaths));
  CHECK_FALSE(readJsonValues(std::string(1 << 20, '['), kPaths));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::json_to_metadata
