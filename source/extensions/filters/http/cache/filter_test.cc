#include "source/extensions/filters/http/cache/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/cache/v3/cache.pb.h"
#include "envoy/extensions/filters/http/cache_v2/v3/cache.pb.h"
#include "source/extensions/filters/http/cache/test_site.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using namespace std::chrono_literals;

TEST_CASE("an answer is stored, and served with its age") {
  Site site;
  Trip& first = site.fill("/a", {{"cache-control", "max-age=60"}, {"content-type", "text/x"}});
  CHECK(first.client.body == "body");
  CHECK(first.of("cache-status") == "sluice; fwd=uri-miss; stored");
  CHECK(site.stat(first, "miss") == 1);

  site.time += 7s;
  Trip& second = site.open("/a");

  CHECK_FALSE(second.forwarded());
  CHECK(second.client.status == 200);
  CHECK(second.client.body == "body");
  CHECK(second.client.complete);
  CHECK(second.of("content-type") == "text/x");
  CHECK(second.of("content-length") == "4");
  CHECK(second.of("age") == "7");
  CHECK(second.of("cache-status") == "sluice; hit; ttl=53");
  CHECK(second.stream.info().response_code_details == "cache.response_from_cache_filter");
  CHECK(second.stream.info().response_flags.has(stream::ResponseFlag::kResponseFromCacheFilter));
  CHECK(site.stat(second, "hit") == 1);

  site.time += 53s;
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("HEAD is answered from what GET has brought, and brings nothing itself") {
  Site site;
  Trip& head = site.open("/a", {}, "HEAD");
  CHECK(head.forwarded());
  head.answer({{"cache-control", "max-age=60"}, {"content-length", "4"}}, "");
  CHECK(head.of("cache-status") == "sluice; fwd=uri-miss");
  CHECK_FALSE(site.hits("/a"));

  site.fill("/b");
  Trip& served = site.open("/b", {}, "HEAD");
  CHECK_FALSE(served.forwarded());
  CHECK(served.of("content-length") == "4");
  CHECK(served.client.body == "");
  CHECK(served.client.complete);
}

TEST_CASE("what is incomplete is not stored") {
  Site site;
  {
    Trip& cut = site.open("/cut");
    cut.respond(200, kFresh, false);
    cut.runner->responseData("bo", false);
    cut.runner->resetResponse("reset");
    CHECK(cut.client.reset == "reset");
  }
  {
    Trip& short_one = site.open("/short");
    short_one.respond(200, {{"cache-control", "max-age=60"}, {"content-length", "5"}}, false);
    short_one.runner->responseData("body", true);
  }
  {
    Trip& gone = site.open("/gone");
    gone.respond(200, kFresh, false);
    gone.runner->end();
  }
  {
    Trip& trailers = site.open("/trailers");
    trailers.respond(200, kFresh, false);
    trailers.runner->responseData("body", false);
    trailers.responseTrailers({{"x-failed", "1"}});
  }
  for (const char* path : {"/cut", "/short", "/gone", "/trailers"}) CHECK_FALSE(site.hits(path));
}

TEST_CASE("bodies have a bound") {
  Site site("max_body_bytes: 10");
  site.fill("/small", kFresh, std::string(10, 'x'));
  site.fill("/large", kFresh, std::string(11, 'x'));
  Trip& told = site.fill("/told", {{"cache-control", "max-age=60"}, {"content-length", "11"}}, std::string(11, 'x'));

  CHECK(told.client.body.size() == 11);
  CHECK(told.of("cache-status") == "sluice; fwd=uri-miss");
  CHECK(site.hits("/small"));
  CHECK_FALSE(site.hits("/large"));
  CHECK_FALSE(site.hits("/told"));
}

TEST_CASE("requests that are more than a plain GET go by, whatever is stored") {
  Site site;
  site.fill("/a");
  for (const char* name :
       {"x-http-method-override", "x-http-method", "x-method-override", "if-match", "if-unmodified-since"}) {
    Trip& trip = site.open("/a", {{name, "DELETE"}});
    CHECK(trip.forwarded());
    trip.answer(kFresh, "poison");
    CHECK(trip.of("cache-status") == "sluice; fwd=bypass");
  }
  {
    Trip& body = site.trips.emplace_back(filter::testing::entriesOf(site.chain), site.table);
    body.stream.shared_worker = &site.worker;
    body.stream.request().path = "/a";
    body.stream.request().scheme = "http";
    body.request("GET", {}, false);
    body.runner->requestData("x", true);
    CHECK(body.forwarded());
    body.answer(kFresh, "poison");
  }
  site.prepare = [](http::RequestHeaders& headers) { headers.upgrade = "websocket"; };
  CHECK(site.open("/a").forwarded());
  site.prepare = nullptr;
  CHECK(site.open("/a").client.body == "body");
}

TEST_CASE("errors of a request's own making are not for others") {
  Site site;
  for (const uint16_t status : {400, 403, 405, 413, 414, 431, 501, 502}) {
    Trip& trip = site.open("/e");
    trip.answer(kFresh, "error", status);
    CHECK(trip.client.status == status);
    CHECK_FALSE(site.hits("/e"));
    site.trips.clear();
  }
  Trip& missing = site.open("/404");
  missing.answer(kFresh, "not here", 404);
  CHECK(site.open("/404").client.status == 404);
}

TEST_CASE("answers may depend on the fields that the configuration allows") {
  Site site("allowed_vary_headers: [{exact: Accept}]");
  const Fields vary = {{"cache-control", "max-age=60"}, {"vary", "Accept"}};
  site.fill("/a", vary, "xml", {{"accept", "xml"}});
  CHECK(site.open("/a", {{"accept", "xml"}}).client.body == "xml");

  Trip& json = site.open("/a", {{"accept", "json"}});
  REQUIRE(json.forwarded());
  json.answer(vary, "json");
  CHECK(json.of("cache-status") == "sluice; fwd=vary-miss; stored");
  CHECK(site.open("/a", {{"accept", "json"}}).client.body == "json");
  CHECK(site.open("/a", {{"accept", "xml"}}).client.body == "xml");

  site.fill("/other", {{"cache-control", "max-age=60"}, {"vary", "accept, cookie"}});
  CHECK_FALSE(site.hits("/other"));
  site.fill("/all", {{"cache-control", "max-age=60"}, {"vary", "*"}});
  CHECK_FALSE(site.hits("/all"));
  // It is in the key anyway.
  site.fill("/origin", {{"cache-control", "max-age=60"}, {"vary", "origin"}}, "o", {{"origin", "x"}});
  CHECK(site.hits("/origin", {{"origin", "x"}}));
}

TEST_CASE("cookies and private answers are not stored") {
  Site site;
  site.fill("/cookie", {{"cache-control", "public, max-age=60"}, {"set-cookie", "id=1"}});
  site.fill("/private", {{"cache-control", "private, max-age=60"}});
  CHECK_FALSE(site.hits("/cookie"));
  CHECK_FALSE(site.hits("/private"));
}

TEST_CASE("who shows who he is gets what is for all only, and leaves nothing else") {
  Site site;
  const Fields credentials = {{"authorization", "Bearer x"}};
  site.fill("/a");
  CHECK_FALSE(site.hits("/a", credentials));
  site.fill("/own", kFresh, "mine", credentials);
  CHECK_FALSE(site.hits("/own"));
  site.fill("/all", {{"cache-control", "public, max-age=60"}}, "all", credentials);
  CHECK(site.hits("/all"));
  CHECK(site.hits("/all", credentials));
}

TEST_CASE("requests have a say in what they get") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"age", "10"}});
  CHECK_FALSE(site.hits("/a", {{"cache-control", "no-cache"}}));
  CHECK_FALSE(site.hits("/a", {{"pragma", "no-cache"}}));
  CHECK_FALSE(site.hits("/a", {{"cache-control", "max-age=9"}}));
  CHECK_FALSE(site.hits("/a", {{"cache-control", "min-fresh=51"}}));
  CHECK(site.hits("/a", {{"cache-control", "max-age=10, min-fresh=50"}}));
  CHECK(site.hits("/a", {{"cache-control", "only-if-cached"}}));

  Trip& only = site.open("/b", {{"cache-control", "only-if-cached"}});
  CHECK(only.client.status == 504);
  CHECK_FALSE(only.forwarded());
  site.fill("/c", kFresh, "c", {{"cache-control", "no-store"}});
  CHECK_FALSE(site.hits("/c"));

  Site deaf("ignore_request_cache_control_header: true");
  deaf.fill("/a", kFresh, "a", {{"cache-control", "no-store"}});
  CHECK(deaf.hits("/a", {{"cache-control", "no-cache"}, {"pragma", "no-cache"}}));
}

TEST_CASE("a stale answer is validated, and who has it is told so") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"},
                   {"etag", "\"1\""},
                   {"last-modified", "Wed, 01 Jan 2025 00:00:00 GMT"},
                   {"x-kept", "1"}});
  site.time += 60s;
  Trip& validated = site.open("/a", {{"if-none-match", "\"client's\""}});
  REQUIRE(validated.forwarded());
  CHECK(validated.sent("if-none-match") == "\"1\"");
  CHECK(validated.sent("if-modified-since") == "Wed, 01 Jan 2025 00:00:00 GMT");

  validated.answer({{"cache-control", "max-age=30"}, {"etag", "\"1\""}, {"set-cookie", "mine=1"}}, "", 304);

  CHECK(validated.client.status == 200);
  CHECK(validated.client.body == "body");
  CHECK(validated.client.complete);
  CHECK(validated.of("cache-status") == "sluice; hit; fwd=stale; fwd-status=304; ttl=0");
  CHECK(validated.of("set-cookie") == "mine=1");
  CHECK(site.stat(validated, "validate") == 1);
  // With its cookie the 304 was not for others.
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("a 304 makes a stored answer good again") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& validated = site.open("/a", {{"if-none-match", "\"1\""}});
  validated.answer({{"cache-control", "max-age=30"}}, "", 304);
  CHECK(validated.client.status == 304);
  CHECK(validated.client.complete);
  CHECK(validated.log.back() == "client headers 304 end");

  site.time += 29s;
  Trip& hit = site.open("/a");
  CHECK_FALSE(hit.forwarded());
  CHECK(hit.client.body == "body");
  CHECK(hit.of("age") == "29");
}

TEST_CASE("a 304 renews the answer of its own variant") {
  Site site("allowed_vary_headers: [{exact: accept}]");
  const Fields vary = {{"cache-control", "max-age=60"}, {"etag", "\"1\""}, {"vary", "accept"}};
  site.fill("/a", vary, "xml", {{"accept", "xml"}});
  site.fill("/a", {{"cache-control", "max-age=600"}, {"vary", "accept"}}, "json", {{"accept", "json"}});
  site.time += 60s;
  site.open("/a", {{"accept", "xml"}}).answer({}, "", 304);

  CHECK(site.open("/a", {{"accept", "xml"}}).client.body == "xml");
  CHECK(site.open("/a", {{"accept", "json"}}).client.body == "json");
}

TEST_CASE("a 304 about something else renews nothing") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& trip = site.open("/a");
  trip.answer({{"cache-control", "max-age=60"}, {"etag", "\"2\""}}, "", 304);
  CHECK(trip.client.body == "body");

  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("a changed answer takes the place of the stale one") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& changed = site.open("/a");
  changed.answer(kFresh, "new");
  CHECK(changed.client.body == "new");
  CHECK(site.stat(changed, "failed_validation") == 1);
  CHECK(site.open("/a").client.body == "new");
}

TEST_CASE("a client's own condition goes to the upstream where nothing is stored") {
  Site site;
  Trip& trip = site.open("/a", {{"if-none-match", "\"1\""}});
  CHECK(trip.sent("if-none-match") == "\"1\"");
  trip.answer({{"etag", "\"1\""}, {"cache-control", "max-age=60"}}, "", 304);
  CHECK(trip.client.status == 304);
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("parts are cut from a stored answer, and are not stored themselves") {
  Site site;
  Trip& part = site.open("/a", {{"range", "bytes=0-1"}});
  REQUIRE(part.forwarded());
  CHECK(part.sent("range") == "bytes=0-1");
  part.answer({{"cache-control", "max-age=60"}, {"content-range", "bytes 0-1/4"}}, "bo", 206);
  site.fill("/a");

  Trip& cut = site.open("/a", {{"range", "bytes=1-2"}});
  CHECK(cut.client.status == 206);
  CHECK(cut.client.body == "od");
  CHECK(cut.of("content-range") == "bytes 1-2/4");
  CHECK(site.open("/a", {{"range", "bytes=9-"}}).client.status == 416);
}

TEST_CASE("a part is no way to validate the whole") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& part = site.open("/a", {{"range", "bytes=0-1"}});
  CHECK(part.sent("range") == "bytes=0-1");
  CHECK(part.sent("if-none-match") == "(none)");
}

TEST_CASE("methods that change something make what is stored out of date, unless they fail") {
  Site site;
  site.fill("/a");
  site.open("/a", {}, "POST").answer({}, "no", 500);
  CHECK(site.hits("/a"));
  site.open("/a", {}, "OPTIONS").answer({}, "", 200);
  CHECK(site.hits("/a"));
  site.open("/b", {}, "POST").answer({}, "", 200);
  CHECK(site.hits("/a"));
  site.open("/a", {}, "FROB").answer({}, "", 303);
  CHECK_FALSE(site.hits("/a"));
  site.fill("/c");
  site.fill("/c", kFresh, "for x", {{"origin", "x"}});
  site.open("/c", {{"origin", "x"}}, "POST").answer({}, "", 200);
  CHECK_FALSE(site.hits("/c"));
  CHECK_FALSE(site.hits("/c", {{"origin", "x"}}));
}

TEST_CASE("an answer from before a change is not stored after it") {
  Site site;
  Trip& slow = site.open("/a");
  slow.respond(200, kFresh, false);
  site.open("/a", {}, "PUT").answer({}, "", 204);
  slow.runner->responseData("old", true);

  CHECK(slow.client.body == "old");
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("a stale answer is better than an error if it allows that") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60, stale-if-error=30"}});
  site.time += 89s;
  Trip& failed = site.open("/a");
  REQUIRE(failed.forwarded());
  failed.respond(503, {}, false);

  CHECK(failed.client.status == 200);
  CHECK(failed.client.body == "body");
  CHECK(failed.terminal.cancelled);
  CHECK(failed.of("cache-status") == "sluice; hit; fwd=stale; fwd-status=503; ttl=-29");

  Trip& local = site.open("/a");
  local.runner->localReply(filter::Reply{503, "no host", "no_healthy_upstream"});
  CHECK(local.client.body == "body");
  CHECK(local.client.complete);

  site.time += 1s;
  Trip& too_old = site.open("/a");
  too_old.answer({}, "down", 503);
  CHECK(too_old.client.status == 503);
}

TEST_CASE("filters in front see what is served in place of a 304") {
  std::string seen;
  filter::testing::Script front{.name = "front", .hooks = filter::kResponseHeaders | filter::kResponseData};
  front.response_headers = [&](http::ResponseHeaders& headers, filter::Context&) {
    seen += std::to_string(headers.status) + " ";
    return filter::Next{};
  };
  front.response_data = [&](filter::Chunk& chunk, filter::Context&) {
    seen += chunk.bytes();
    return filter::Next{};
  };
  Site site;
  site.chain.insert(site.chain.begin(), filter::testing::scripted(front));
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  seen.clear();
  site.open("/a").answer({}, "", 304);

  CHECK(seen == "200 body");
}

TEST_CASE("what a filter behind has sent along another route is not stored") {
  std::vector<route::RouteSpec> routes(2);
  for (route::RouteSpec& each : routes) {
    each.path = "/";
    each.action = route::ForwardSpec{.cluster = 1, .cluster_name = "up"};
  }
  match::HeaderMatcher header;
  header.setName("x-other");
  routes[0].conditions.headers.push_back(header);
  route::TableSpec spec;
  spec.virtual_hosts.push_back({.name = "v", .domains = {"*"}, .routes = std::move(routes)});
  const filter::testing::Script behind{.name = "behind",
                                       .hooks = filter::kRequestHeaders,
                                       .request_headers = [](http::RequestHeaders& headers, filter::Context& context) {
                                         headers.add("x-other", "1");
                                         context.rematchRoute();
                                         return filter::Next{};
                                       }};
  Site site("", *route::Table::build(std::move(spec)));
  site.chain.push_back(filter::testing::scripted(behind));
  site.fill("/a");
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("what a filter behind has sent elsewhere is not stored") {
  filter::testing::Script behind{.name = "behind", .hooks = filter::kRequestHeaders};
  behind.request_headers = [](http::RequestHeaders&, filter::Context& context) {
    context.setCluster("canary");
    return filter::Next{};
  };
  Site site;
  site.chain.push_back(filter::testing::scripted(behind));
  site.fill("/a");
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("what is fetched may come from another cluster") {
  Site site("override_upstream_cluster: origin");
  Trip& trip = site.fill("/a");
  REQUIRE(trip.stream.upstreamChoice() != nullptr);
  CHECK(trip.stream.upstreamChoice()->cluster == "origin");
  CHECK(site.hits("/a"));
}

// What is wrong with a configuration.
template <typename Proto>
std::string problemsOf(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  if (!world.load(yaml, proto)) return world.problems();
  const auto* factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
  factory->compile(proto, world.context("http.p."));
  return world.problems();
}

TEST_CASE("a configuration names a store that there is") {
  using V1 = envoy::extensions::filters::http::cache::v3::CacheConfig;
  using V2 = envoy::extensions::filters::http::cache_v2::v3::CacheV2Config;
  const std::string type = "typed_config: {\"@type\": type.googleapis.com/envoy.extensions.http.";
  CHECK(problemsOf<V1>(type + "cache.simple_http_cache.v3.SimpleHttpCacheConfig}") == "");
  CHECK(problemsOf<V2>(type + "cache_v2.simple_http_cache.v3.SimpleHttpCacheV2Config}") == "");
  CHECK(problemsOf<V1>(kMemory) == "");
  CHECK(problemsOf<V2>("disabled: true") == "");
  CHECK_THAT(problemsOf<V2>("max_body_bytes: 1"), Catch::Contains("typed_config: is needed"));
  CHECK_THAT(problemsOf<V2>(type + "cache.simple_http_cache.v3.SimpleHttpCacheConfig}"),
             Catch::Contains("is no store of this filter"));
  CHECK_THAT(problemsOf<V2>(type + "cache_v2.file_system_http_cache.v3.FileSystemHttpCacheV2Config}"),
             Catch::Contains("keep answers in memory"));
  CHECK_THAT(problemsOf<V1>("typed_config: {\"@type\": type.googleapis.com/"
                            "sluice.extensions.caches.memory.v1.MemoryCache, max_bytes: 1}"),
             Catch::Contains("max_bytes"));
  CHECK_THAT(problemsOf<V2>("typed_config: {\"@type\": type.googleapis.com/"
                            "sluice.extensions.caches.memory.v1.MemoryCache, tag_headers: [\"a b\"]}"),
             Catch::Contains("tag_headers[0]"));
  CHECK_THAT(problemsOf<V2>(kMemory + "allowed_vary_headers: [{safe_regex: {regex: \"(\"}}]"),
             Catch::Contains("allowed_vary_headers[0]"));
}

TEST_CASE("a disabled filter lets everything by") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::http::cache_v2::v3::CacheV2Config proto;
  world.load("disabled: true", proto);
  const auto* factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
  Harness h(filter::testing::entriesOf({factory->compile(proto, world.context("http.p."))}), forwardingTable());
  h.request("GET", {}, true);
  CHECK(h.terminal.heads == 1);
}

// A filter in front makes GETs of the suite's requests.
filter::testing::Suite suiteOf(Site& site) {
  static const filter::testing::Script get{.name = "get",
                                           .hooks = filter::kRequestHeaders,
                                           .request_headers = [](auto& headers, auto&) -> filter::HookResult {
                                             headers.method = "GET";
                                             headers.remove("content-length");
                                             headers.scheme = "http";
                                             return filter::Next{};
                                           }};
  filter::testing::Suite suite;
  suite.table = forwardingTable();
  suite.request = {{}, "", false};
  suite.response.headers = {{"cache-control", "max-age=60"}};
  suite.chain = [&site] { return Factories{filter::testing::scripted(get), site.chain[0]}; };
  return suite;
}

TEST_CASE("it passes the interleaving suite where nothing is stored") {
  Site site;
  // Trailers: never stored, so each run is a miss.
  const auto suite = suiteOf(site);
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

TEST_CASE("it passes the interleaving suite where the answer is not for others") {
  Site site;
  auto suite = suiteOf(site);
  suite.response = {{{"set-cookie", "a=b"}}, "xyz", false};
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

TEST_CASE("it passes the interleaving suite with requests that go by") {
  Site site;
  filter::testing::Suite suite;
  suite.table = forwardingTable();
  suite.chain = [&site] { return site.chain; };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::cache
