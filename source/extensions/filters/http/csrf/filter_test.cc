#include "source/extensions/filters/http/csrf/filter.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/csrf/v3/csrf.pb.h"
#include "source/extensions/filters/http/csrf/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::csrf {
namespace {

using Proto = envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
using filter::testing::Fields;
using filter::testing::Harness;

const std::string kOn = "filter_enabled: {default_value: {numerator: 100}}";
const std::string kOff = "filter_enabled: {default_value: {numerator: 0}}";
const std::string kShadow = ", shadow_enabled: {default_value: {numerator: 100}}";

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory, "http.p.csrf.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{" + fields + "}"); }
};

// One request to "a.example" through a filter.
struct Asked {
  explicit Asked(const std::string& yaml, const std::string& route_yaml = "") {
    const auto factory = world.compile(yaml);
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(std::vector{factory}, std::vector{route_yaml.empty() ? nullptr : world.compileRoute(route_yaml)});
    h->stream.request().authority = "a.example";
  }
  // Whether it came through.
  bool send(const Fields& fields, const std::string& method = "POST") {
    h->request(method, fields, true);
    return h->terminal.heads == 1;
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

bool admits(const Fields& fields, const std::string& method = "POST", const std::string& more = "") {
  return Asked(kOn + more).send(fields, method);
}

TEST_CASE("a request that changes something has to come from a page of its own host") {
  CHECK(admits({{"origin", "https://a.example"}}));
  CHECK(admits({{"origin", "https://A.example"}}));
  CHECK_FALSE(admits({{"origin", "https://b.example"}}));
  CHECK_FALSE(admits({{"origin", "https://a.example:8443"}}));
  CHECK_FALSE(admits({{"origin", "https://a.example.b.example"}}));
  CHECK_FALSE(admits({{"origin", "null"}}));
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) CHECK_FALSE(admits({{"origin", "https://b"}}, method));
  for (const char* method : {"GET", "HEAD", "OPTIONS"}) CHECK(admits({{"origin", "https://b"}}, method));
}

TEST_CASE("without an origin the referer counts") {
  CHECK(admits({{"referer", "https://a.example/form?x=1"}}));
  CHECK(admits({{"origin", ""}, {"referer", "https://a.example"}}));
  CHECK_FALSE(admits({{"referer", "https://b.example/?https://a.example/"}}));
  CHECK_FALSE(admits({{"referer", "https://a.example@b.example/"}}));
  CHECK_FALSE(admits({{"origin", "https://b.example"}, {"referer", "https://a.example/"}}));
}

TEST_CASE("additional origins may, too") {
  const std::string more = ", additional_origins: [{suffix: '.c.example'}, {exact: 'd.example:8443'}]";
  CHECK(admits({{"origin", "https://x.c.example"}}, "POST", more));
  CHECK(admits({{"origin", "https://d.example:8443"}}, "POST", more));
  CHECK_FALSE(admits({{"origin", "https://d.example"}}, "POST", more));
}

TEST_CASE("a refusal says why and is counted") {
  Asked asked(kOn);
  CHECK_FALSE(asked.send({{"origin", "https://b.example"}}));
  CHECK(asked.h->client.status == 403);
  CHECK(asked.h->client.body == "Invalid origin");
  CHECK(asked.h->stream.info().response_code_details == "csrf_origin_mismatch");
  CHECK(asked.counted("request_invalid") == 1);
  CHECK(asked.counted("missing_source_origin") == 0);

  Asked silent(kOn);
  CHECK_FALSE(silent.send({}));
  CHECK(silent.counted("missing_source_origin") == 1);
  CHECK(silent.counted("request_invalid") == 0);

  Asked valid(kOn);
  CHECK(valid.send({{"origin", "https://a.example"}}));
  CHECK(valid.counted("request_valid") == 1);
}

TEST_CASE("a shadow counts and lets through; what is off does nothing") {
  Asked shadow(kOff + kShadow);
  CHECK(shadow.send({{"origin", "https://b.example"}}));
  CHECK(shadow.counted("request_invalid") == 1);

  Asked off(kOff);
  CHECK(off.send({{"origin", "https://b.example"}}));
  CHECK(off.counted("request_invalid") == 0);

  CHECK_FALSE(Asked(kOn + kShadow).send({{"origin", "https://b.example"}}));
}

TEST_CASE("a route's policy stands in place of the filter's") {
  CHECK(Asked(kOn, kOff).send({{"origin", "https://b.example"}}));
  CHECK(Asked(kOn, kOn + ", additional_origins: [{exact: b.example}]").send({{"origin", "https://b.example"}}));
  CHECK_FALSE(Asked(kOff, kOn).send({{"origin", "https://b.example"}}));
}

TEST_CASE("a policy has to say whether it is on") {
  World world;
  CHECK(world.compile("shadow_enabled: {default_value: {numerator: 100}}") == nullptr);
  CHECK(world.problems().find("filter_enabled") != std::string::npos);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kOn + ", additional_origins: [{exact: b.example}]");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.request.headers = {{"origin", "https://b.example"}};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::csrf
