#include "source/extensions/filters/http/bot_detection/filter.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "sluice/extensions/filters/http/bot_detection/v1/bot_detection.pb.h"
#include "source/extensions/filters/http/bot_detection/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::bot_detection {
namespace {

using Proto = ::sluice::extensions::filters::http::bot_detection::v1::BotDetection;
using filter::testing::Fields;
using filter::testing::Harness;

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory, "http.p.bot_detection.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{" + fields + "}"); }
};

// One request through a filter.
struct Asked {
  explicit Asked(const std::string& yaml, const std::string& route_yaml = "") {
    const auto factory = world.compile(yaml);
    INFO(world.problems());
    REQUIRE(factory);
    h.emplace(std::vector{factory}, std::vector{route_yaml.empty() ? nullptr : world.compileRoute(route_yaml)});
  }
  // The details of a refusal; empty: it came through.
  std::string get(const Fields& fields) {
    h->request("GET", fields, true);
    return h->terminal.complete ? "" : std::string(h->stream.info().response_code_details);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

Fields agent(const char* name) {
  return {{"user-agent", name}};
}

TEST_CASE("programs say what they are") {
  for (const char* name :
       {"Googlebot/2.1", "Mozilla/5.0 (compatible; YandexBot/3.0)", "curl/8.5.0", "Wget/1.21", "python-requests/2.31",
        "Go-http-client/2.0", "my-Crawler", "Mozilla/5.0 HeadlessChrome/120"}) {
    INFO(name);
    CHECK(isKnownBot(name));
  }
  for (const char* name : {"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Opera/9.80",
                           "NotCurl/ curl/8", "x"}) {
    INFO(name);
    CHECK_FALSE(isKnownBot(name));
  }
}

TEST_CASE("a known bot is refused, and says why") {
  Asked asked("status: 429");
  CHECK(asked.get(agent("curl/8.5.0")) == "bot_known");
  CHECK(asked.h->client.status == 429);
  CHECK(asked.counted("denied") == 1);
  CHECK(Asked("deny_known_bots: false").get(agent("curl/8.5.0")).empty());
}

TEST_CASE("who is allowed stands before who is denied") {
  const std::string yaml = "allow: [{prefix: 'curl/'}, {exact: good}], deny: [{contains: oo}]";
  CHECK(Asked(yaml).get(agent("curl/8.5.0")).empty());
  CHECK(Asked(yaml).get(agent("good")).empty());
  CHECK(Asked(yaml).get(agent("good food")) == "bot_denied");
}

TEST_CASE("a request without a name is refused where that is wanted") {
  CHECK(Asked("deny_known_bots: true").get({}).empty());
  CHECK(Asked("deny_missing_user_agent: true").get({}) == "bot_no_user_agent");
  CHECK(Asked("deny_missing_user_agent: true").get(agent("")) == "bot_no_user_agent");
}

TEST_CASE("what is not enforced is counted") {
  Asked asked("filter_enforced: {default_value: {numerator: 0}}");
  CHECK(asked.get(agent("curl/8.5.0")).empty());
  CHECK(asked.counted("shadow_denied") == 1);
  CHECK(asked.counted("denied") == 0);
}

TEST_CASE("a route's rules stand in place of the filter's") {
  CHECK(Asked("deny: [{exact: a}]", "deny: [{exact: b}]").get(agent("a")).empty());
  CHECK(Asked("deny: [{exact: a}]", "deny: [{exact: b}]").get(agent("b")) == "bot_denied");
}

TEST_CASE("wrong rules are refused") {
  World world;
  CHECK(world.compile("deny: [{safe_regex: {regex: '('}}]") == nullptr);
  CHECK(world.problems().find("deny[0]") != std::string::npos);
  World status;
  CHECK(status.compile("status: 200") == nullptr);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile("deny: [{exact: a}]");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::bot_detection
