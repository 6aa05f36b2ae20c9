#include "source/extensions/filters/http/header_to_metadata/filter.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "google/protobuf/struct.pb.h"
#include "source/extensions/filters/http/header_to_metadata/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::header_to_metadata {
namespace {

namespace v3 = envoy::extensions::filters::http::header_to_metadata::v3;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<v3::Config> {
  World() : FilterWorld(registerFactory, "http_filter_name.s.") {}
};

// A rule of the header x-a; `present` is what stands in on_header_present besides the key "k" of namespace "m".
std::string rule(const std::string& present) {
  return "{stat_prefix: s, request_rules: [{header: X-A, on_header_present: {metadata_namespace: m, key: k" + present +
         "}}]}";
}

const stream::MetadataValue* find(Harness& harness, const std::string& key = "k", const std::string& filter = "m") {
  return harness.stream.info().metadata().find(filter, {key});
}

std::string text(Harness& harness, const std::string& key = "k", const std::string& filter = "m") {
  const stream::MetadataValue* value = find(harness, key, filter);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
  return text == nullptr ? "(none)" : *text;
}

// What a request with these fields leaves under "k" of "m".
std::string textOf(const std::string& present, const Fields& fields) {
  World world;
  const auto factory = world.compile(rule(present));
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});
  h.request("GET", fields, true);
  return text(h);
}

TEST_CASE("a header's value, all of its lines, becomes metadata") {
  CHECK(textOf("", {{"x-a", "1"}}) == "1");
  CHECK(textOf("", {{"x-a", "1"}, {"x-a", "2"}}) == "1,2");
  CHECK(textOf("", {{"x-b", "1"}}) == "(none)");
  CHECK(textOf("", {{"x-a", ""}}) == "(none)");
  CHECK(textOf(", value: fixed", {{"x-a", "1"}}) == "fixed");
}

TEST_CASE("a value is decoded, rewritten and given its type") {
  World world;
  google::protobuf::Value flag;
  flag.set_bool_value(true);

  CHECK(textOf(", encode: BASE64", {{"x-a", "aGk="}}) == "hi");
  CHECK(textOf(", encode: BASE64", {{"x-a", "aGk"}}) == "hi");
  CHECK(textOf(", regex_value_rewrite: {pattern: {regex: '^v([0-9]).*$'}, substitution: 'n/\\1'}", {{"x-a", "v1.2"}}) ==
        "n/1");
  Harness number({world.compile(rule(", type: NUMBER"))});
  number.request("GET", {{"x-a", " 2.5"}}, true);
  CHECK(std::get<double>(find(number)->value) == 2.5);
  Harness message({world.compile(rule(", type: PROTOBUF_VALUE, encode: BASE64"))});
  message.request("GET", {{"x-a", absl::Base64Escape(flag.SerializeAsString())}}, true);
  CHECK(std::get<bool>(find(message)->value));
}

TEST_CASE("what cannot be made a value is left out and counted") {
  World world;
  const auto left_out = [&](const std::string& present, const std::string& value, const std::string& counter) {
    Harness h({world.compile(rule(present))});
    h.request("GET", {{"x-a", value}}, true);
    CHECK(find(h) == nullptr);
    CHECK(world.counted(h, "request_rules_processed") == 1);
    CHECK(world.counted(h, "request_metadata_added") == 0);
    return counter.empty() ? 1 : world.counted(h, counter);
  };

  CHECK(left_out(", encode: BASE64", "*", "base64_decode_failed") == 1);
  CHECK(left_out("", std::string(kTooLong, 'a'), "header_value_too_long") == 1);
  CHECK(left_out(", regex_value_rewrite: {pattern: {regex: '.*'}}", "a", "regex_substitution_failed") == 1);
  CHECK(left_out(", type: NUMBER", "one", "") == 1);
  CHECK(left_out(", type: PROTOBUF_VALUE", "\x0b", "") == 1);
  CHECK(textOf("", {{"x-a", std::string(kTooLong - 1, 'a')}}).size() == kTooLong - 1);
}

TEST_CASE("rules go in order: a missing header has its own value, and a header may be taken off") {
  World world;
  const auto factory = world.compile(
      "{stat_prefix: s, request_rules: ["
      "{header: x-a, on_header_present: {key: first}, remove: true}, "
      "{header: x-a, on_header_present: {key: second}, on_header_missing: {key: second, value: gone}}]}");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {{"x-a", "1"}, {"x-b", "2"}}, true);

  CHECK(text(h, "first", "envoy.filters.http.header_to_metadata") == "1");
  CHECK(text(h, "second", "envoy.filters.http.header_to_metadata") == "gone");
  CHECK(h.terminal.headers == Fields{{"x-b", "2"}});
  CHECK(world.counted(h, "request_header_not_found") == 1);
  CHECK(world.counted(h, "request_metadata_added") == 2);
}

TEST_CASE("cookies, pseudo-headers and answers are looked at, too") {
  World world;
  const auto factory = world.compile(
      "{stat_prefix: s, request_rules: [{cookie: id, on_header_present: {metadata_namespace: m, key: cookie}}, "
      "{cookie: empty, on_header_missing: {metadata_namespace: m, key: empty, value: none}}, "
      "{header: ':method', on_header_present: {metadata_namespace: m, key: method}}], "
      "response_rules: [{header: ':status', on_header_present: {metadata_namespace: m, key: status, type: NUMBER}}]}");
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});

  h.request("PUT", {{"cookie", "a=b; id=7"}, {"cookie", "empty="}}, true);
  h.respond(204, {}, true);

  CHECK(text(h, "cookie") == "7");
  CHECK(text(h, "empty") == "none");
  CHECK(text(h, "method") == "PUT");
  CHECK(std::get<double>(find(h, "status")->value) == 204);
  CHECK(world.counted(h, "response_metadata_added") == 1);
}

TEST_CASE("a route's rules replace the filter's") {
  World world;
  const auto factory = world.compile(rule(""));
  const auto route = world.compileRoute("response_rules: [{header: x-r, on_header_present: {key: r}}]");
  REQUIRE(route);
  Harness h({factory}, {route});

  h.request("GET", {{"x-a", "1"}}, true);
  h.respond(200, {{"x-r", "2"}}, true);

  CHECK(find(h) == nullptr);
  CHECK(text(h, "r", "envoy.filters.http.header_to_metadata") == "2");
  CHECK(world.counted(h, "request_rules_processed") == 0);
}

TEST_CASE("rules that make no sense are refused") {
  const auto problem = [](const std::string& rule, const std::string& field = "request_rules") {
    World world;
    CHECK_FALSE(world.compile(field + ": [" + rule + "]"));
    return world.problems();
  };
  const std::string present = "on_header_present: {key: k}";

  CHECK_THAT(problem("{" + present + "}"), Catch::Contains("request_rules[0]: has neither header nor cookie"));
  CHECK_THAT(problem("{header: a, cookie: b, " + present + "}"), Catch::Contains("has both header and cookie"));
  CHECK_THAT(problem("{header: a}"), Catch::Contains("has neither on_header_present"));
  CHECK_THAT(problem("{header: 'a b', " + present + "}"), Catch::Contains("request_rules[0].header"));
  CHECK_THAT(problem("{header: ':path', " + present + "}", "response_rules"),
             Catch::Contains("response_rules[0].header"));
  CHECK_THAT(problem("{cookie: a, remove: true, " + present + "}"), Catch::Contains("does not apply to cookies"));
  CHECK_THAT(problem("{header: host, remove: true, " + present + "}"), Catch::Contains("does not apply to :authority"));
  CHECK_THAT(problem("{header: a, on_header_missing: {key: k}}"), Catch::Contains("on_header_missing.value: is empty"));
  CHECK_THAT(problem("{header: a, on_header_present: {key: k, value: v, regex_value_rewrite: {pattern: {regex: b}}}}"),
             Catch::Contains("has both value and regex_value_rewrite"));
  CHECK_THAT(problem("{header: a, on_header_present: {key: k, regex_value_rewrite: {pattern: {regex: '('}}}}"),
             Catch::Contains("regex_value_rewrite.pattern.regex"));
  CHECK_THAT(problem("{header: a, on_header_present: {metadata_namespace: sluice.identity, key: subject}}"),
             Catch::Contains("on_header_present.metadata_namespace: is where filters of authentication say"));
  World world;
  CHECK_FALSE(world.compileRoute("{stat_prefix: s}"));
  CHECK_THAT(world.problems(), Catch::Contains("has no rules"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    return std::vector{
        world.compile("{request_rules: [{header: x-a, on_header_missing: {key: k, value: v}}], "
                      "response_rules: [{header: ':status', on_header_present: {key: k}}]}")};
  };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::header_to_metadata
