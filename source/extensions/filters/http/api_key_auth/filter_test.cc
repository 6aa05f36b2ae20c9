#include "source/extensions/filters/http/api_key_auth/filter.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.pb.h"
#include "source/extensions/filters/http/api_key_auth/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::api_key_auth {
namespace {

namespace v3 = envoy::extensions::filters::http::api_key_auth::v3;
using filter::testing::Fields;
using filter::testing::Harness;

const std::string kCredentials =
    "credentials: [{key: k1, client: one}, {key: k2, client: two}, {key: k3, client: two}]";
const std::string kAll = kCredentials + ", key_sources: [{header: X-Key}, {query: key}, {cookie: key}]";
const std::string kForwarding = kAll + ", forwarding: {header: X-Client, hide_credentials: true}";

struct World : filter::testing::FilterWorld<v3::ApiKeyAuth, v3::ApiKeyAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.api_key_auth.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{" + fields + "}"); }
};

// One request through a filter.
struct Asked {
  explicit Asked(const std::string& yaml, const std::string& route_yaml = "") {
    const auto factory = world.compile(yaml);
    const auto route = route_yaml.empty() ? nullptr : world.compileRoute(route_yaml);
    INFO(world.problems());
    REQUIRE(world.errors.empty());
    h.emplace(std::vector{factory}, std::vector{route});
  }
  // Whether it came through.
  bool send(const Fields& fields, const std::string& path = "/") {
    h->stream.request().path = path;
    h->request("GET", fields, true);
    return h->terminal.heads == 1;
  }
  // Why it did not.
  std::string refusal(const Fields& fields, const std::string& path = "/") {
    if (send(fields, path)) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  // What the identity says.
  std::string identity(const std::string& key) {
    const auto* value = h->stream.info().metadata().find(stream::kIdentityMetadata, {key});
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

std::string refusal(const Fields& fields, const std::string& yaml = kAll, const std::string& route = "") {
  return Asked(yaml, route).refusal(fields);
}

TEST_CASE("a request with a known key goes on, with who it is") {
  Asked asked(kAll);

  CHECK(asked.send({{"x-key", "k2"}}));

  CHECK(asked.identity("method") == "api_key");
  CHECK(asked.identity("subject") == "two");
  CHECK(asked.identity("consumer") == "two");
  CHECK(asked.counted("allowed") == 1);
  CHECK(asked.h->terminal.headers == Fields{{"x-key", "k2"}});
}

TEST_CASE("each source takes keys") {
  CHECK(Asked(kAll).send({{"x-key", "Bearer k1"}}));
  CHECK(Asked(kAll).send({{"cookie", "key=k3"}}));
  CHECK(Asked(kAll).send({}, "/?key=k1"));
}

TEST_CASE("without one known key the answer is 401") {
  CHECK(refusal({}) == "401 missing_api_key");
  CHECK(refusal({{"x-key", ""}}) == "401 missing_api_key");
  CHECK(refusal({{"x-key", "k"}}) == "401 unkonwn_api_key");
  CHECK(refusal({{"x-key", "K1"}}) == "401 unkonwn_api_key");
  CHECK(refusal({{"x-key", "k1,k2"}}) == "401 unkonwn_api_key");
  CHECK(refusal({{"x-key", "k1"}, {"x-key", "k2"}}) == "401 multiple_api_keys");
  CHECK(refusal({{"x-key", "x"}, {"cookie", "key=k1"}}) == "401 unkonwn_api_key");
  CHECK(refusal({{"x-key", "k1"}}, kCredentials) == "401 missing_key_sources");
  CHECK(refusal({{"x-key", "k1"}}, "key_sources: [{header: x-key}]") == "401 missing_credentials");
}

TEST_CASE("a refusal has its body, is counted and says nobody's name") {
  Asked asked(kAll);

  CHECK_FALSE(asked.send({{"x-key", "k"}}));

  CHECK(asked.h->client.body == "Client authentication failed.");
  CHECK(asked.counted("unauthorized") == 1);
  CHECK(asked.counted("allowed") + asked.counted("forbidden") == 0);
  CHECK(asked.identity("method").empty());
}

TEST_CASE("a route may let some clients in only") {
  const std::string two = "allowed_clients: [two, three]";
  CHECK(refusal({{"x-key", "k2"}}, kAll, two).empty());
  CHECK(refusal({{"x-key", "k3"}}, kAll, two).empty());
  CHECK(refusal({{"x-key", "k"}}, kAll, two) == "401 unkonwn_api_key");

  Asked one(kAll, two);
  CHECK(one.refusal({{"x-key", "k1"}}) == "403 client_not_allowed");
  CHECK(one.h->client.body == "Client is forbidden.");
  CHECK(one.counted("forbidden") == 1);
  CHECK(one.counted("allowed") + one.counted("unauthorized") == 0);
  CHECK(one.identity("method").empty());
}

TEST_CASE("what a route sets stands in place of the filter's") {
  const std::string own = "credentials: [{key: r, client: route}]";
  const std::string elsewhere = "key_sources: [{header: x-other}]";
  CHECK(refusal({{"x-key", "r"}}, kAll, own).empty());
  CHECK(refusal({{"x-key", "k1"}}, kAll, own) == "401 unkonwn_api_key");
  CHECK(refusal({{"x-other", "k1"}}, kAll, elsewhere).empty());
  CHECK(refusal({{"x-key", "k1"}}, kAll, elsewhere) == "401 missing_api_key");
  CHECK(refusal({{"x-other", "r"}}, "", own + ", " + elsewhere).empty());
}

TEST_CASE("a host is told the client, whatever the request says of it") {
  Asked asked(kForwarding);

  CHECK(asked.send({{"x-client", "root"},
                    {"x_client", "root"},
                    {"a", "1"},
                    {"x-client", "admin"},
                    {"x-key", "k1"},
                    {"cookie", "key=k2"}},
                   "/p?key=k3&b=2"));

  CHECK(asked.h->terminal.headers == Fields{{"a", "1"}, {"x-client", "one"}});
  CHECK(asked.h->stream.request().path == "/p?b=2");
}

TEST_CASE("the client may be told in the header that had the key") {
  const std::string yaml =
      kCredentials + ", key_sources: [{header: x-key}], forwarding: {header: x-key, hide_credentials: true}";
  Asked asked(yaml);

  CHECK(asked.send({{"x-key", "k1"}}));

  CHECK(asked.h->terminal.headers == Fields{{"x-key", "one"}});
}

TEST_CASE("a route's forwarding stands in place of the filter's, whose header nobody may set all the same") {
  Asked none(kForwarding, "forwarding: {}"), other(kForwarding, "forwarding: {header: x-who}");

  CHECK(none.send({{"x-client", "root"}, {"x-key", "k1"}}));
  CHECK(other.send({{"x-who", "root"}, {"x-client", "root"}, {"x-key", "k1"}}));

  CHECK(none.h->terminal.headers == Fields{{"x-key", "k1"}});
  CHECK(other.h->terminal.headers == Fields{{"x-key", "k1"}, {"x-who", "one"}});
}

TEST_CASE("a request without a path may show its key") {
  Asked known(kForwarding), unknown(kForwarding);

  known.h->request("CONNECT", {{"x-key", "k1"}}, false);
  unknown.h->request("CONNECT", {}, false);

  CHECK(known.h->terminal.heads == 1);
  CHECK(known.h->stream.request().path.empty());
  CHECK(unknown.h->client.status == 401);
}

TEST_CASE("wrong configurations are refused, without telling keys") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };
  const std::string twice = problems("credentials: [{key: sesame, client: a}, {key: sesame, client: b}]");
  CHECK_THAT(twice, Catch::Contains("credentials[1].key: is that of another entry"));
  CHECK_THAT(twice, !Catch::Contains("sesame"));
  CHECK_THAT(problems("credentials: [{client: a}]"), Catch::Contains("credentials[0].key"));
  CHECK_THAT(problems("credentials: [{key: a}]"), Catch::Contains("credentials[0].client"));
  CHECK_THAT(problems("credentials: [{key: a, client: \"a\\nb\"}]"), Catch::Contains("a control character"));
  CHECK_THAT(problems("key_sources: [{}]"), Catch::Contains("key_sources[0]: names no place"));
  CHECK_THAT(problems("key_sources: [{header: 'a b'}]"), Catch::Contains("key_sources[0].header"));
  CHECK_THAT(problems("key_sources: [{header: host}]"), Catch::Contains("no header that may be set"));
  CHECK_THAT(problems("forwarding: {header: content-length}"), Catch::Contains("forwarding.header"));
  World world;
  CHECK_FALSE(world.compileRoute("credentials: [{key: a, client: a}, {key: a, client: a}]"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kForwarding);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.request.headers = {{"x-key", "k1"}};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::api_key_auth
