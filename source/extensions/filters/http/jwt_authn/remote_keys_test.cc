// Keys that are fetched, and the requests that wait for them.
#include <catch2/catch.hpp>

#include "source/extensions/filters/http/jwt_authn/test_site.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using namespace testing;  // NOLINT: the site of these tests
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

std::string remote(const std::string& more = "") {
  return absl::StrCat(
      "providers: {p: {issuer: me, remote_jwks: {http_uri: {uri: 'https://idp.example:444/keys?v=1', cluster: idp, "
      "timeout: 2s}",
      more, "}}}\n", kNeedsP);
}

struct RemoteWorld : World {
  explicit RemoteWorld(const std::string& more = "") : World(remote(more)) { settle(); }

  filter::HttpCallResponse keys(const std::string& kid = "a") { return {.status = 200, .body = goodKeys(kid)}; }
  // Of the fetch that waits.
  void answer(filter::HttpCallResponse response) {
    REQUIRE(server.waiting() > 0);
    server.answer(std::move(response));
    settle();
  }
  size_t fetches() const { return server.sent.size(); }
};

TEST_CASE("keys are fetched when the configuration is loaded") {
  RemoteWorld world;
  REQUIRE(world.fetches() == 1);
  const filter::HttpCallRequest& request = world.server.sent[0];
  CHECK(request.cluster == "idp");
  CHECK(request.method == "GET");
  CHECK(request.authority == "idp.example:444");
  CHECK(request.path == "/keys?v=1");
  CHECK(request.timeout == seconds(2));
  CHECK(request.max_response_body == jwt::KeySet::kMaxText);

  world.answer(world.keys());

  CHECK(world.askWith(token()).status == 200);
  CHECK(world.countedHere("jwks_fetch_success") == 1);
  CHECK(world.fetches() == 1);
}

TEST_CASE("without keys it is nobody's fault but ours") {
  RemoteWorld world;
  world.answer({.status = 500});

  const Answer answer = world.askWith(token());

  CHECK(answer.status == 503);
  CHECK(answer.details == "jwt_authn_access_denied{Jwks_remote_fetch_is_failed}");
  CHECK(valuesOf(answer.headers, "www-authenticate").empty());
  CHECK(world.ask({}).status == 401);
  CHECK(world.countedHere("jwks_fetch_failed") == 1);
}

TEST_CASE("what is no answer with keys is a failed fetch") {
  RemoteWorld world;
  for (const filter::HttpCallResponse& bad :
       std::vector<filter::HttpCallResponse>{{.status = 302, .headers = {{"location", "http://169.254.169.254/"}}},
                                             {.status = 200, .body = "{}"},
                                             {.status = 200, .body = "<html>"},
                                             {.status = 0, .failure = "response_too_large"}}) {
    world.answer(bad);
    world.pass(seconds(10));
  }
  CHECK(world.countedHere("jwks_fetch_failed") == 4);
  CHECK(world.fetches() == 5);
}

TEST_CASE("keys are fetched again before they are old, and the last good ones hold when that fails") {
  RemoteWorld world(", cache_duration: 60s");
  world.answer(world.keys());
  world.pass(seconds(54));
  CHECK(world.fetches() == 1);
  world.pass(seconds(1));
  REQUIRE(world.fetches() == 2);
  world.answer({.status = 0, .failure = "timeout"});
  world.pass(minutes(60));
  CHECK(world.askWith(token()).status == 200);
  CHECK(world.fetches() == 3);
}

TEST_CASE("after failures it is asked less and less often, and soon again") {
  RemoteWorld world(", async_fetch: {failed_refetch_duration: 2s}");
  world.answer({.status = 500});
  world.pass(milliseconds(999));
  CHECK(world.fetches() == 1);
  world.pass(milliseconds(1001));
  CHECK(world.fetches() == 2);
  for (size_t i = 2; i < 8; ++i) {
    world.answer({.status = 500});
    world.pass(seconds(10));
    CHECK(world.fetches() == i + 1);
  }
  world.answer(world.keys());
  CHECK(world.askWith(token()).status == 200);
}

TEST_CASE("a policy says how often one fetch is tried") {
  RemoteWorld world(", retry_policy: {num_retries: 2, retry_back_off: {base_interval: 0.1s}}");
  world.answer({.status = 500});
  world.pass(milliseconds(100));
  CHECK(world.fetches() == 2);
  world.answer({.status = 500});
  world.pass(milliseconds(200));
  CHECK(world.fetches() == 3);
  CHECK(world.countedHere("jwks_fetch_failed") == 0);
  world.answer({.status = 500});
  CHECK(world.countedHere("jwks_fetch_failed") == 1);
}

TEST_CASE("a request whose key is not known waits for one fetch") {
  RemoteWorld world;
  world.answer(world.keys());
  world.pass(seconds(10));
  Harness h({world.filter});
  world.start(h, {bearer(token("\"sub\":\"u\"", "b"))});
  world.settle();
  CHECK(h.client.heads == 0);
  CHECK(h.terminal.heads == 0);
  REQUIRE(world.fetches() == 2);

  world.answer(world.keys("b"));

  CHECK(world.end(h).status == 200);
  CHECK(valuesOf(h.terminal.headers, "authorization").empty());
  // What was signed by a key that is gone is not good any more.
  CHECK(world.askWith(token()).status == 401);
}

TEST_CASE("unknown keys cause one fetch in ten seconds, however many there are (A3)") {
  RemoteWorld world;
  world.answer(world.keys());
  world.pass(seconds(10));
  for (int i = 0; i < 1000; ++i) {
    Harness h({world.filter});
    world.start(h, {bearer(token("\"sub\":\"u\"", absl::StrCat("k", i)))});
    world.settle();
    if (h.client.heads == 0 && world.server.waiting() > 0) world.answer(world.keys());
    CHECK(h.client.status == 401);
  }
  CHECK(world.fetches() == 2);
  world.pass(seconds(10));
  Harness h({world.filter});
  world.start(h, {bearer(token("\"sub\":\"u\"", "k"))});
  world.settle();
  CHECK(world.fetches() == 3);
}

TEST_CASE("of several providers that may have a key each is asked") {
  const auto of = [](const char* name, const char* path) {
    return absl::StrCat(name, ": {remote_jwks: {http_uri: {uri: 'https://idp.example/", path,
                        "', cluster: idp, timeout: 2s}}}");
  };
  World world("providers: {" + of("a", "a") + ", " + of("b", "b") + "}\n" +
              rule("requires_any: {requirements: [{provider_name: a}, {provider_name: b}]}"));
  const auto answer = [&](const std::string& kid_of_a) {
    for (int i = 0; i < 2; ++i) {
      world.settle();
      world.settle();
      REQUIRE(world.server.waiting() > 0);
      const bool of_a = world.server.request().path == "/a";
      world.server.answer({.status = 200, .body = goodKeys(of_a ? kid_of_a : "other")});
    }
    world.settle();
  };
  world.settle();
  answer("old");
  world.pass(seconds(10));
  Harness h({world.filter});
  world.start(h, {bearer(token())});
  CHECK(h.client.heads == 0);

  answer("a");

  CHECK(world.end(h).status == 200);
  CHECK(world.server.sent.size() == 4);
}

TEST_CASE("a token that one provider takes does not wait for the keys of another") {
  World world("providers: {a: {remote_jwks: {http_uri: {uri: 'https://idp.example/k', cluster: idp, timeout: 2s}}}, " +
              provider() + "}\n" + rule("allow_missing: {}"));
  world.settle();
  world.server.answer({.status = 200, .body = goodKeys("z")});
  world.pass(seconds(10));

  CHECK(world.askWith(token()).status == 200);
  world.settle();
  CHECK(world.server.sent.size() == 1);
}

TEST_CASE("many wait for the same fetch, and each gets its own answer") {
  RemoteWorld world;
  world.answer(world.keys());
  world.pass(seconds(10));
  Harness good({world.filter}), bad({world.filter});
  world.start(good, {bearer(token("\"sub\":\"u\"", "b"))});
  world.start(bad, {bearer(token("\"sub\":\"u\"", "c"))});
  world.settle();
  CHECK(world.fetches() == 2);

  world.answer(world.keys("b"));

  CHECK(world.end(good).status == 200);
  CHECK(world.end(bad).status == 401);
}

TEST_CASE("the wait has an end") {
  RemoteWorld world;
  Harness h({world.filter});
  world.start(h, {bearer(token())});
  world.settle();
  CHECK(h.client.heads == 0);

  h.calls.expire();

  CHECK(h.client.status == 503);
  world.answer(world.keys());
  CHECK(h.client.heads == 1);
}

TEST_CASE("a stream that ends while it waits is forgotten (L3)") {
  RemoteWorld world;
  {
    Harness h({world.filter});
    world.start(h, {bearer(token())});
    world.settle();
  }
  Harness answered({world.filter});
  world.start(answered, {bearer(token())});
  world.settle();
  answered.runner->end();

  world.answer(world.keys());

  CHECK(answered.terminal.heads == 0);
  CHECK(world.askWith(token()).status == 200);
}

TEST_CASE("a token that may be good is not passed over as a bad one") {
  RemoteWorld world;
  world.filter = world.compile(
      "providers: {p: {issuer: me, remote_jwks: {http_uri: {uri: 'https://idp.example/k', cluster: idp, timeout: "
      "2s}}}}\n" +
      rule("requires_any: {requirements: [{allow_missing_or_failed: {}}, {provider_name: p}]}"));
  REQUIRE(world.filter != nullptr);
  world.settle();
  Harness h({world.filter});
  world.start(h, {bearer(token())});
  world.settle();
  CHECK(h.terminal.heads == 0);

  while (world.server.waiting() > 0) world.answer(world.keys());

  const Answer answer = world.end(h);
  CHECK(answer.status == 200);
  CHECK(answer.metadata.find("sluice.identity") != std::string::npos);
}

TEST_CASE("the next generation has the keys of the one before") {
  World world;
  const auto generation = [&] {
    v3::JwtAuthentication proto;
    REQUIRE(world.load(remote(), proto));
    return world.factory().compile(proto, world.holding.context(world.at, "http.p.", "listener 'l'/0"));
  };
  world.filter = generation();
  world.settle();
  world.server.answer({.status = 200, .body = goodKeys()});
  world.settle();

  world.filter = generation();
  world.settle();

  CHECK(world.askWith(token()).status == 200);
  CHECK(world.server.sent.size() == 1);
}

class Targets final : public config::InitTargets {
 public:
  config::InitTarget add(std::string name, std::chrono::milliseconds deadline) override {
    names.push_back(std::move(name));
    deadlines.push_back(deadline);
    waits.push_back(std::make_shared<Wait>());
    return config::InitTarget(waits.back());
  }
  struct Wait final : config::InitWait {
    void end(std::shared_ptr<InitWait>) override { over = true; }
    bool pending() const override { return !over; }
    bool over = false;
  };
  std::vector<std::string> names;
  std::vector<std::chrono::milliseconds> deadlines;
  std::vector<std::shared_ptr<Wait>> waits;
};

TEST_CASE("a listener waits for keys, but not for ever, and not if it is not to") {
  World world;
  Targets targets;
  config::Holding holding(world.services, &targets);
  const auto compiled = [&](const std::string& more) {
    v3::JwtAuthentication proto;
    REQUIRE(world.load(remote(more), proto));
    return world.factory().compile(proto, holding.context(world.at, "http.p."));
  };
  world.filter = compiled("");
  REQUIRE(targets.names == std::vector<std::string>{"keys of https://idp.example:444/keys?v=1"});
  CHECK(targets.deadlines[0] == seconds(5));
  world.settle();
  world.server.answer({.status = 500});
  world.settle();
  CHECK_FALSE(targets.waits[0]->over);
  world.pass(seconds(1));
  world.server.answer({.status = 200, .body = goodKeys()});
  world.settle();
  CHECK(targets.waits[0]->over);

  const auto fast = compiled(", async_fetch: {fast_listener: true}");
  CHECK(targets.names.size() == 1);
}

TEST_CASE("how the keys are can be seen, but not the keys") {
  RemoteWorld world;
  const auto health = [&] {
    std::vector<jwt::RemoteKeys::Health> out;
    world.services.objects.forEach<jwt::RemoteKeys>([&](jwt::RemoteKeys& keys) { out.push_back(keys.health()); });
    return out;
  };
  v3::JwtAuthentication proto;
  REQUIRE(world.load(remote(", cache_duration: 50s"), proto));
  const auto filter = world.factory().compile(proto, world.holding.context(world.at, "http.p.", "listener 'l'/0"));
  world.settle();
  world.answer({.status = 404});  // of the first filter, which nobody else sees
  REQUIRE(health().size() == 1);
  CHECK_FALSE(health()[0].age);
  world.answer(world.keys());
  world.pass(seconds(2));

  const auto shown = health();

  REQUIRE(shown.size() == 1);
  CHECK(shown[0].uri == "https://idp.example:444/keys?v=1");
  CHECK(shown[0].cluster == "idp");
  REQUIRE(shown[0].keys.size() == 1);
  CHECK(shown[0].keys[0].kid == "a");
  CHECK(shown[0].keys[0].algorithms == "HS256");
  CHECK(shown[0].age == seconds(2));
  CHECK(shown[0].last_error.empty());
  CHECK(shown[0].next_fetch == seconds(43));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::jwt_authn
