#include "source/extensions/filters/http/set_filter_state/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.pb.h"
#include "source/extensions/filters/http/set_filter_state/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::set_filter_state {
namespace {

using Proto = envoy::extensions::filters::http::set_filter_state::v3::Config;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory) {}
};

std::string setting(const std::string& key, const std::string& format, const std::string& more = "") {
  return "{object_key: " + key + ", factory_key: envoy.string, format_string: {text_format_source: {inline_string: '" +
         format + "'}, omit_empty_values: true}" + more + "}";
}

std::string textOf(Harness& h, std::string_view name) {
  const auto& state = h.stream.info().filter_state;
  const auto* object = state ? state->get<stream::FilterState::Object>(name) : nullptr;
  return object == nullptr ? "none" : std::string(object->text());
}

TEST_CASE("objects are made of what the request says, one after the other") {
  World world;
  const auto factory = world.compile("on_request_headers: [" + setting("a", "user %REQ(x-user)%") + ", " +
                                     setting("b", "%FILTER_STATE(a:PLAIN)%!") + "]");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {{"x-user", "ann"}}, true);

  CHECK(textOf(h, "a") == "user ann");
  CHECK(textOf(h, "b") == "user ann!");
  CHECK(h.terminal.complete);
}

TEST_CASE("an empty text is an object unless it is to be skipped") {
  World world;
  const auto factory = world.compile("on_request_headers: [" + setting("a", "%REQ(x-none)%") + ", " +
                                     setting("b", "%REQ(x-none)%", ", skip_if_empty: true") + "]");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {}, true);

  CHECK(textOf(h, "a") == "");
  CHECK(textOf(h, "b") == "none");
}

TEST_CASE("what is read-only is not set again, and what is shared is for internal listeners") {
  World world;
  const auto factory =
      world.compile("on_request_headers: [" + setting("a", "1", ", read_only: true") + ", " + setting("a", "2") + ", " +
                    setting("b", "3", ", shared_with_upstream: ONCE") + "]");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {}, true);

  CHECK(textOf(h, "a") == "1");
  const auto shared = h.stream.info().filter_state->shared();
  REQUIRE(shared);
  CHECK(shared->size() == 1);
  CHECK(shared->nameAt(0) == "b");
}

TEST_CASE("an object that is no value of its kind is not set") {
  World world;
  const auto factory = world.compile(
      "on_request_headers: [{object_key: envoy.filters.listener.original_dst.local_ip, shared_with_upstream: ONCE, "
      "format_string: {text_format_source: {inline_string: '%REQ(x-to)%'}}}]");
  REQUIRE(factory);
  Harness good({factory}), bad({factory});

  good.request("GET", {{"x-to", "10.0.0.1:80"}}, true);
  bad.request("GET", {{"x-to", "somewhere"}}, true);

  CHECK(textOf(good, "envoy.filters.listener.original_dst.local_ip") == "10.0.0.1:80");
  CHECK(textOf(bad, "envoy.filters.listener.original_dst.local_ip") == "none");
}

TEST_CASE("kinds that are not known and objects that nobody would ask for are refused") {
  const auto [yaml, why] = GENERATE(table<std::string, std::string>(
      {{"{object_key: mine, format_string: {text_format_source: {inline_string: x}}}", "means nothing to the proxy"},
       {"{object_key: mine, factory_key: other, format_string: {text_format_source: {inline_string: x}}}",
        "there is no 'other'"},
       {"{object_key: envoy.tcp_proxy.cluster, format_string: {text_format_source: {inline_string: x}}}",
        "only connections are asked for"},
       {setting("a", "%NOT_AN_OPERATOR%"), "NOT_AN_OPERATOR"}}));
  World world;

  CHECK_FALSE(world.compile("on_request_headers: [" + yaml + "]"));

  CHECK_THAT(world.problems(), Catch::Contains(why));
  CHECK_THAT(world.problems(), Catch::Contains("on_request_headers[0]"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.compile("on_request_headers: [" + setting("a", "1") + "]")}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::set_filter_state
