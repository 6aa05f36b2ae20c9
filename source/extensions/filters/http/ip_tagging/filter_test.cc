#include "source/extensions/filters/http/ip_tagging/filter.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/ip_tagging/v3/ip_tagging.pb.h"
#include "source/extensions/filters/http/ip_tagging/factory.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::ip_tagging {
namespace {

using Proto = envoy::extensions::filters::http::ip_tagging::v3::IPTagging;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory, "http.p.ip_tagging.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
};

const std::string kTags =
    "ip_tags: [{ip_tag_name: wide, ip_list: [{address_prefix: 10.0.0.0, prefix_len: 8}]}, "
    "{ip_tag_name: narrow, ip_list: [{address_prefix: 10.1.2.0, prefix_len: 24}, {address_prefix: '2001:db8::', "
    "prefix_len: 32}]}, {ip_tag_name: same, ip_list: [{address_prefix: 10.1.2.0, prefix_len: 24}]}]";

// The head that the upstream gets.
Fields sent(const std::string& yaml, const char* client, const Fields& fields = {}) {
  World world;
  const auto factory = world.compile(yaml);
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});
  h.stream.info().downstream_remote_address = client;
  h.request("GET", fields, true);
  REQUIRE(h.terminal.complete);
  return h.terminal.headers;
}

TEST_CASE("a request gets the names of all ranges that its client is in") {
  CHECK(sent(kTags, "10.1.2.3:80") == Fields{{"x-envoy-ip-tags", "wide,narrow,same"}});
  CHECK(sent(kTags, "10.2.2.3:80") == Fields{{"x-envoy-ip-tags", "wide"}});
  CHECK(sent(kTags, "[2001:db8:1::2]:80") == Fields{{"x-envoy-ip-tags", "narrow"}});
  CHECK(sent(kTags, "11.0.0.1:80") == Fields{});
  CHECK(sent(kTags, "/run/client.sock") == Fields{});
}

TEST_CASE("names are appended to what is there, or take its place") {
  const std::string append = ", ip_tag_header: {header: X-Range, action: APPEND_IF_EXISTS_OR_ADD}";
  const std::string sanitize = ", ip_tag_header: {header: x-range}";
  CHECK(sent(kTags, "10.2.2.3:80", {{"x-envoy-ip-tags", "a"}}) == Fields{{"x-envoy-ip-tags", "a,wide"}});
  CHECK(sent(kTags + append, "10.2.2.3:80", {{"x-range", "a"}}) == Fields{{"x-range", "a,wide"}});
  CHECK(sent(kTags + sanitize, "10.2.2.3:80", {{"x-range", "a"}, {"x-range", "b"}}) == Fields{{"x-range", "wide"}});
  CHECK(sent(kTags + sanitize, "11.2.2.3:80", {{"x-range", "a"}}) == Fields{});
}

TEST_CASE("tags may stand in a file") {
  const test::ScratchFolder folder;
  const std::string path = folder.write("tags.yaml", "{" + kTags + "}");
  CHECK(sent("ip_tags_datasource: {filename: " + path + "}", "10.2.2.3:80") == Fields{{"x-envoy-ip-tags", "wide"}});
}

TEST_CASE("wrong files of tags are refused with the place in them") {
  const test::ScratchFolder folder;
  const auto problems = [&folder](const std::string& text, const std::string& more = "") {
    World world;
    const std::string path = folder.write("tags.yaml", text);
    CHECK(world.compile("ip_tags_datasource: {filename: " + path + "}" + more) == nullptr);
    return world.problems();
  };

  CHECK_THAT(problems("{}"), Catch::Contains("has no ip_tags"));
  CHECK_THAT(problems("ip_tags:\n- ip_tag_name: 'a b'"),
             Catch::Contains("ip_tags[0].ip_tag_name: stands in a list") && Catch::Contains("tags.yaml:2"));
  CHECK_THAT(problems("tags: []"), Catch::Contains("tags"));
  CHECK_THAT(problems("{" + kTags + "}", ", " + kTags), Catch::Contains("has both ip_tags and ip_tags_datasource"));
  World world;
  CHECK_FALSE(world.compile("ip_tags_datasource: {inline_string: x}"));
  CHECK_THAT(world.problems(), Catch::Contains("ip_tags_datasource: is no file"));
}

TEST_CASE("only requests from inside, or only others, are looked at") {
  const Fields internal{{"x-envoy-internal", "true"}};
  CHECK(sent(kTags + ", request_type: INTERNAL", "10.2.2.3:80").empty());
  CHECK(sent(kTags + ", request_type: INTERNAL", "10.2.2.3:80", internal).size() == 2);
  CHECK(sent(kTags + ", request_type: EXTERNAL", "10.2.2.3:80").size() == 1);
  CHECK(sent(kTags + ", request_type: EXTERNAL", "10.2.2.3:80", internal) == internal);
}

TEST_CASE("hits and misses are counted") {
  World world;
  const auto factory = world.compile(kTags);
  Harness hit({factory}), miss({factory});
  hit.stream.info().downstream_remote_address = "10.2.2.3:80";
  hit.request("GET", {}, true);
  CHECK(world.counted(hit, "wide.hit") == 1);
  CHECK(world.counted(hit, "narrow.hit") == 0);
  CHECK(world.counted(hit, "total") == 1);
  miss.stream.info().downstream_remote_address = "11.2.2.3:80";
  miss.request("GET", {}, true);
  CHECK(world.counted(miss, "no_hit") == 1);
}

TEST_CASE("wrong tags are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  CHECK(problems("request_type: BOTH").find("ip_tags") != std::string::npos);
  CHECK(problems("ip_tags: [{ip_tag_name: 'a,b'}]").find("ip_tags[0].ip_tag_name: stands in a list") !=
        std::string::npos);
  CHECK(problems("ip_tags: [{ip_tag_name: a, ip_list: [{address_prefix: x}]}]").find("ip_list[0]") !=
        std::string::npos);
  CHECK(problems(kTags + ", ip_tag_header: {header: host}").find("ip_tag_header.header") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kTags + ", ip_tag_header: {header: x-range}");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ip_tagging
