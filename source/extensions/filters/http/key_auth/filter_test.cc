#include "source/extensions/filters/http/key_auth/filter.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sluice/extensions/filters/http/key_auth/v1/key_auth.pb.h"
#include "source/extensions/filters/http/key_auth/factory.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::key_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::key_auth::v1;
using filter::testing::Fields;
using filter::testing::Harness;

// With the digests of "k1", "k2" and "k3".
const std::string kConsumers = R"(consumers:
- name: one
  keys: [{sha256: 6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0, prefix: k}, {sha256: 015f7e6bc5aeaf483724089e9252cc13b50951a6b69412522765cff4d780306e, expires: "2030-01-01T00:00:00Z"}]
  groups: [staff, beta]
  plan: {tier: gold, limits: {minute: 600}}
- name: two
  keys: [{sha256: 2f5052c9fd15b19a18c584d01363568198613f0c34e84409ef7938709a159ec2}]
  groups: [beta]
- name: guest
  groups: [guests]
)";

const std::string kSources = ", key_sources: [{header: X-Key}, {query: key}]";

struct World : filter::testing::FilterWorld<v1::KeyAuth, v1::KeyAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.key_auth.") {}

  auto compile(const std::string& consumers, const std::string& more = "", const std::string& name = "c.yaml") {
    path = folder.write(name, consumers);
    return FilterWorld::compile("{consumers: {filename: " + path + "}" + kSources + more + "}");
  }

  const test::ScratchFolder folder;
  std::string path;
};

// One request through a filter.
struct Asked {
  explicit Asked(const std::string& more = "", const std::string& route_yaml = "") {
    const auto factory = world.compile(kConsumers, more);
    const auto route = route_yaml.empty() ? nullptr : world.compileRoute("{" + route_yaml + "}");
    INFO(world.problems());
    REQUIRE(world.errors.empty());
    h.emplace(std::vector{factory}, std::vector{route});
  }
  // "" if it came through.
  std::string refusal(const Fields& fields, const std::string& path = "/") {
    h->stream.request().path = path;
    h->request("GET", fields, true);
    if (h->terminal.heads == 1) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  void setYear(int year) {
    h->stream.info().start_time = std::chrono::sys_days(std::chrono::year(year) / 1 / 1);
    h->stream.info().start = h->stream.time;
  }
  const stream::MetadataValue* identity(const std::vector<std::string>& path) {
    return h->stream.info().metadata().find(stream::kIdentityMetadata, path);
  }
  std::string text(const std::vector<std::string>& path) {
    const auto* value = identity(path);
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

std::string refusal(const Fields& fields, const std::string& more = "", const std::string& route = "") {
  return Asked(more, route).refusal(fields);
}

TEST_CASE("a request with a consumer's key goes on, with all that is known of it") {
  Asked asked;

  CHECK(asked.refusal({{"x-key", "Bearer k1"}}).empty());

  CHECK(asked.text({"method"}) == "key");
  CHECK(asked.text({"subject"}) == "one");
  CHECK(asked.text({"consumer"}) == "one");
  CHECK(asked.text({"claims", "key_prefix"}) == "k");
  CHECK(asked.text({"claims", "plan", "tier"}) == "gold");
  CHECK(std::get<double>(asked.identity({"claims", "plan", "limits", "minute"})->value) == 600);
  CHECK(std::get<stream::MetadataList>(asked.identity({"groups"})->value).size() == 2);
  CHECK(asked.counted("allowed") == 1);
}

TEST_CASE("other requests are answered 401") {
  CHECK(refusal({}) == "401 missing_api_key");
  CHECK(refusal({{"x-key", "k"}}) == "401 unknown_api_key");
  CHECK(refusal({{"x-key", "6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0"}}) ==
        "401 unknown_api_key");
  CHECK(refusal({{"x-key", "k1"}, {"x-key", "k1"}}) == "401 multiple_api_keys");
  Asked asked;
  CHECK(asked.refusal({}, "/?key=k") == "401 unknown_api_key");
  CHECK(asked.counted("unauthorized") == 1);
  CHECK(asked.counted("allowed") + asked.counted("anonymous") + asked.counted("forbidden") == 0);
  CHECK(asked.identity({"method"}) == nullptr);
}

TEST_CASE("a key is refused from its last day on") {
  Asked before, after, endless;
  before.setYear(2029);
  after.setYear(2030);
  endless.setYear(2200);

  CHECK(before.refusal({{"x-key", "k2"}}).empty());
  CHECK(after.refusal({{"x-key", "k2"}}) == "401 expired_api_key");
  CHECK(endless.refusal({{"x-key", "k1"}}).empty());
}

TEST_CASE("requests without a key may be of somebody, those with a wrong one not") {
  const std::string guest = ", anonymous: guest, forwarding: {header: x-consumer}";
  Asked asked(guest);

  CHECK(asked.refusal({{"x-consumer", "one"}}).empty());

  CHECK(asked.text({"consumer"}) == "guest");
  CHECK(asked.text({"method"}) == "anonymous");
  CHECK(asked.h->terminal.headers == Fields{{"x-consumer", "guest"}});
  CHECK(asked.counted("anonymous") == 1);
  CHECK(asked.counted("allowed") == 0);
  CHECK(refusal({{"x-key", "k"}}, guest) == "401 unknown_api_key");
  CHECK(refusal({}, guest, "denied_groups: [guests]") == "403 consumer_not_allowed");
}

TEST_CASE("a route may be for some groups") {
  const Fields one{{"x-key", "k1"}}, two{{"x-key", "k3"}};
  CHECK(refusal(one, "", "allowed_groups: [staff, other]").empty());
  CHECK(refusal(two, "", "allowed_groups: [staff, other]") == "403 consumer_not_allowed");
  CHECK(refusal(one, "", "denied_groups: [staff]") == "403 consumer_not_allowed");
  CHECK(refusal(two, "", "denied_groups: [staff]").empty());
  CHECK(refusal(one, "", "allowed_groups: [beta], denied_groups: [staff]") == "403 consumer_not_allowed");
  CHECK(refusal({{"x-key", "k"}}, "", "allowed_groups: [staff]") == "401 unknown_api_key");
  Asked counted("", "allowed_groups: [staff]");
  CHECK_FALSE(counted.refusal(two).empty());
  CHECK(counted.counted("forbidden") == 1);
  CHECK(counted.identity({"method"}) == nullptr);
}

TEST_CASE("a host is told the consumer, whatever the request says of it") {
  Asked asked(", forwarding: {header: X-Consumer, hide_credentials: true}");

  CHECK(asked
            .refusal({{"x-consumer", "root"}, {"x_consumer", "root"}, {"x-consumer", "two"}, {"x-key", "k1"}},
                     "/?key=k3&a=b")
            .empty());

  CHECK(asked.h->terminal.headers == Fields{{"x-consumer", "one"}});
  CHECK(asked.h->stream.request().path == "/?a=b");
}

TEST_CASE("a wrong file is refused with the place in it") {
  const auto problems = [](const std::string& consumers, const std::string& more = "") {
    World world;
    CHECK_FALSE(world.compile(consumers, more));
    return world.problems();
  };
  const std::string key = "[{sha256: 6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0}]";
  CHECK_THAT(problems("{}"), Catch::Contains("has no consumers"));
  CHECK_THAT(problems("consumers:\n- name: a\n- name: a"),
             Catch::Contains("consumers[1].name: is that of another") && Catch::Contains("c.yaml:3"));
  CHECK_THAT(problems("consumers:\n- {name: a, keys: " + key + "}\n- {name: b, keys: " + key + "}"),
             Catch::Contains("consumers[1].keys[0]: stands elsewhere") && Catch::Contains("c.yaml:3"));
  const std::string open = problems("consumers: [{name: a, keys: [{sha256: sesame}]}]");
  CHECK_THAT(open, Catch::Contains("consumers[0].keys[0].sha256: is no SHA-256") && !Catch::Contains("sesame"));
  CHECK_THAT(problems("consumers: [{name: a, keys: [sesame]}]"),
             Catch::Contains("consumers[0].keys[0]") && !Catch::Contains("sesame"));
  CHECK_THAT(problems("consumers: [{name: a, keys: [{sha256: " + std::string(64, 'g') + "}]}]"),
             Catch::Contains("keys[0].sha256"));
  CHECK_THAT(problems("consumers: [{name: \"a\\tb\"}]"), Catch::Contains("a control character"));
  CHECK_THAT(problems("consumers: [{name: 'a '}]"), Catch::Contains("ends with a space"));
  CHECK_THAT(problems("consumers: [{key: x}]"), Catch::Contains("key"));
  CHECK_THAT(problems("consumers: [{name: a}]", ", anonymous: guest"), Catch::Contains("consumers: has no \"guest\""));
  World text;
  CHECK_FALSE(text.compile("consumers { name: \"a\" keys: \"sesame\" }", "", "c.textproto"));
  CHECK_THAT(text.problems(), Catch::Contains("c.textproto:1") && !Catch::Contains("sesame"));
  World missing;
  CHECK_FALSE(missing.FilterWorld::compile("{consumers: {filename: /nowhere}" + kSources + "}"));
  CHECK_THAT(missing.problems(), Catch::Contains("/nowhere"));
}

TEST_CASE("a wrong configuration is refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.FilterWorld::compile(yaml));
    return world.problems();
  };
  CHECK_THAT(problems("{consumers: {inline_string: x}" + kSources + "}"), Catch::Contains("consumers: is no file"));
  CHECK_THAT(problems("{consumers: {filename: /x}}"), Catch::Contains("key_sources"));
  World world;
  CHECK_FALSE(world.compile(kConsumers, ", forwarding: {header: host}"));
  CHECK_THAT(world.problems(), Catch::Contains("forwarding.header"));
}

TEST_CASE("a file may be JSON or text") {
  World world;
  CHECK(world.compile(
      R"({"consumers": [{"name": "a", "keys": [{"sha256": "6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0"}]}]})",
      "", "c.json"));
  CHECK(world.compile(
      "consumers { name: \"a\" keys { sha256: \"6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0\" } }",
      "", "c.textproto"));
  INFO(world.problems());
  CHECK(world.errors.empty());
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kConsumers, ", forwarding: {header: x-consumer, hide_credentials: true}");
  REQUIRE(factory);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.request.headers = {{"x-key", "k1"}};
  suite.max_runs = 10000;

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::key_auth
