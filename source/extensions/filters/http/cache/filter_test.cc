#include "source/extensions/filters/http/cache/filter.h"

#include <catch2/catch.hpp>
#include <list>

#include "envoy/extensions/filters/http/cache/v3/cache.pb.h"
#include "envoy/extensions/filters/http/cache_v2/v3/cache.pb.h"
#include "source/config/holding.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/cache/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::cache {
namespace {

using namespace std::chrono_literals;
using filter::testing::Fields;
using filter::testing::Harness;
using By = cache::Purge::By;
using Factories = std::vector<std::shared_ptr<const filter::HttpFilterFactory>>;

const std::string kMemory =
    "typed_config: {\"@type\": type.googleapis.com/sluice.extensions.caches.memory.v1.MemoryCache, max_bytes: "
    "1048576}\n";
const std::string kTagged =
    "typed_config: {\"@type\": type.googleapis.com/sluice.extensions.caches.memory.v1.MemoryCache, tag_headers: "
    "[X-Tags]}\n";
const Fields kFresh = {{"cache-control", "max-age=60"}};

// Everything goes to the cluster "up".
std::shared_ptr<const route::Table> forwardingTable(route::ForwardSpec forward = {}) {
  forward.cluster = 1;
  forward.cluster_name = "up";
  route::RouteSpec route;
  route.path = "/";
  route.action = std::move(forward);
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(route));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

// One request and its answer.
struct Trip : Harness {
  using Harness::Harness;
  std::string of(std::string_view name) const {
    for (const auto& [key, value] : client.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  // Sent to the upstream; "(none)": it was not.
  std::string sent(std::string_view name) const {
    for (const auto& [key, value] : terminal.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  bool forwarded() const { return terminal.heads == 1; }
  void answer(const Fields& fields, const std::string& body, uint16_t status = 200) {
    respond(status, fields, body.empty());
    if (!body.empty()) runner->responseData(body, true);
  }
};

// A cache, and the requests to it, all on one worker.
struct Site {
  explicit Site(const std::string& fields = "", std::shared_ptr<const route::Table> routes = forwardingTable(),
                const std::string& store = kMemory)
      : table(std::move(routes)) {
    registerFactory(world.registry);
    envoy::extensions::filters::http::cache_v2::v3::CacheV2Config proto;
    world.load(store + fields, proto);
    const auto* factory = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
    chain.push_back(factory->compile(proto, holding.context(world.at, "http.p.", "a place")));
    REQUIRE(world.problems() == "");
  }

  Trip& open(const std::string& path, const Fields& fields = {}, const std::string& method = "GET") {
    Trip& trip = trips.emplace_back(filter::testing::entriesOf(chain), table);
    trip.stream.shared_worker = &worker;
    trip.stream.time = filter::Stream::Time(1000h) + time;
    trip.stream.request().path = path;
    trip.stream.request().authority = "a.example";
    trip.stream.request().scheme = "http";
    if (prepare) prepare(trip.stream.request());
    for (const auto& [name, value] : fields) trip.stream.request().add(name, value);
    trip.stream.setRoute(table->match(trip.stream.request(), chance));
    trip.request(method, {}, true);
    return trip;
  }
  // Fetched and answered at once.
  Trip& fill(const std::string& path, const Fields& response = kFresh, const std::string& body = "body",
             const Fields& fields = {}) {
    Trip& trip = open(path, fields);
    REQUIRE(trip.forwarded());
    trip.answer(response, body);
    return trip;
  }
  bool hits(const std::string& path, const Fields& fields = {}, const std::string& method = "GET") {
    return !open(path, fields, method).forwarded();
  }
  size_t purge(cache::Purge::By by, std::string_view text) {
    size_t count = 0;
    world.services.objects.forEach<cache::Store>([&](cache::Store& store) { count += store.purge({by, text}); });
    return count;
  }
  int64_t stat(Trip& trip, const std::string& type) {
    const auto* known = world.stats.find("cache.event.cache_label.memory.event_type." + type);
    return known == nullptr ? -1 : static_cast<int64_t>(trip.stream.cells().read(known->id));
  }

  config::testing::TestWorld world;
  config::Holding holding{world.services};
  worker::testing::TestWorker worker;
  std::shared_ptr<const route::Table> table;
  Factories chain;
  std::chrono::seconds time{0};
  std::function<void(http::RequestHeaders&)> prepare;
  uint64_t chance = 0;
  std::list<Trip> trips;
};

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

TEST_CASE("what a request says beside its address does not reach the answers of others") {
  Site site;
  for (const char* name : {"forwarded", "front-end-https", "origin", "x-forwarded-host", "x-forwarded-proto",
                           "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-protocol", "x-forwarded-scheme",
                           "x-host", "x-original-url", "x-rewrite-url", "x-scheme", "x-url-scheme"}) {
    site.fill("/p", kFresh, "poison", {{name, "evil"}});
    CHECK_FALSE(site.hits("/p"));
    CHECK(site.open("/p", {{name, "evil"}}).client.body == "poison");
    site.trips.clear();
  }
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

TEST_CASE("hosts, schemes, paths and queries are apart as they stand") {
  Site site;
  site.fill("/a?x=1&y=2");
  for (const char* path : {"/a", "/a?", "/a?y=2&x=1", "/a?x=1&y=2&x=1", "/A?x=1&y=2", "/a?x=1&y=2&"}) {
    CHECK_FALSE(site.hits(path));
    site.trips.clear();
  }
  for (const char* host : {"A.example", "a.example:80", "a.example.", "b.example"}) {
    site.prepare = [host](http::RequestHeaders& headers) { headers.authority = host; };
    CHECK_FALSE(site.hits("/a?x=1&y=2"));
    site.trips.clear();
  }
  site.prepare = [](http::RequestHeaders& headers) { headers.scheme = "https"; };
  CHECK_FALSE(site.hits("/a?x=1&y=2"));
  site.prepare = nullptr;
  CHECK(site.hits("/a?x=1&y=2"));
}

TEST_CASE("the key is of what the configuration says") {
  Site site("key_creator_params: {exclude_host: true, exclude_scheme: true}");
  site.fill("/a");
  site.prepare = [](http::RequestHeaders& headers) {
    headers.scheme = "https";
    headers.authority = "b.example";
  };
  CHECK(site.hits("/a", {{"x-forwarded-proto", "https"}}));
  Trip& varying = site.fill("/v", {{"cache-control", "max-age=60"}, {"vary", "host"}});
  CHECK(varying.of("cache-status") == "sluice; fwd=uri-miss");
}

TEST_CASE("of the query the parameters count that the configuration names") {
  Site site("key_creator_params: {query_parameters_excluded: [{name: utm}, {name: v, string_match: {exact: x}}]}");
  site.fill("/a?id=1&utm=5");
  CHECK(site.hits("/a?utm=6&id=1&v=x"));
  CHECK_FALSE(site.hits("/a?id=1&v=y"));
  // What an upstream may read as another parameter is in the key.
  CHECK_FALSE(site.hits("/a?id=1&utm=1;id=2"));
  CHECK_FALSE(site.hits("/a?id=1&%75tm=1"));

  Site included("key_creator_params: {query_parameters_included: [{name: id}]}");
  included.fill("/a?id=1&x=2");
  CHECK(included.hits("/a?x=3&id=1"));
  CHECK_FALSE(included.hits("/a?id=2"));
  CHECK_FALSE(included.hits("/a?id=1&id=2"));
  CHECK_FALSE(included.hits("/a?id=1&%69d=2"));
  CHECK_FALSE(included.hits("/a?id=1&i.d=2"));
  CHECK_FALSE(included.hits("/a"));
  CHECK_FALSE(included.hits("/a&id=1"));
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

TEST_CASE("while one fetches an answer, others wait for it") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& waiter = site.open("/a");
  Trip& other = site.open("/b");
  CHECK(lead.forwarded());
  CHECK_FALSE(waiter.forwarded());
  CHECK(other.forwarded());

  lead.answer(kFresh, "body");
  CHECK(waiter.client.heads == 0);
  site.worker.loop.turn();

  CHECK_FALSE(waiter.forwarded());
  CHECK(waiter.client.body == "body");
  CHECK(waiter.of("cache-status") == "sluice; fwd=uri-miss; collapsed; ttl=60");
  CHECK(waiter.calls.waiting() == 0);
}

TEST_CASE("who waits is let go as soon as the answer is not for others") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& a = site.open("/a");
  Trip& b = site.open("/a");
  lead.respond(200, {{"set-cookie", "id=1"}}, false);
  site.worker.loop.turn();

  CHECK(a.forwarded());
  CHECK(b.forwarded());
  a.answer({}, "a's");
  CHECK(a.client.body == "a's");
  // Nor does anybody wait for the next one.
  CHECK(site.open("/a").forwarded());
  CHECK(site.open("/a").forwarded());
}

TEST_CASE("when who fetches goes, the next one fetches") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& next = site.open("/a");
  Trip& last = site.open("/a");
  lead.runner->end();
  site.worker.loop.turn();

  CHECK(next.forwarded());
  CHECK_FALSE(last.forwarded());
  next.answer(kFresh, "body");
  site.worker.loop.turn();
  CHECK(last.client.body == "body");
}

TEST_CASE("when a fetch is late others follow in turn, and the first answer is for all") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& next = site.open("/a");
  Trip& last = site.open("/a");
  site.worker.loop.pass(4999ms);
  CHECK_FALSE(next.forwarded());
  site.worker.loop.pass(1ms);
  CHECK(next.forwarded());
  CHECK_FALSE(last.forwarded());

  next.answer(kFresh, "quick");
  site.worker.loop.turn();

  CHECK(last.client.body == "quick");
  CHECK(last.calls.waiting() == 0);
  lead.answer(kFresh, "slow");
  CHECK(lead.client.body == "slow");
}

TEST_CASE("with less time for an answer a fetch is late sooner") {
  Site site("", forwardingTable({.timeout = 3s}));
  const bool by_header = GENERATE(false, true);
  const Fields fields = by_header ? Fields{{"x-envoy-upstream-rq-timeout-ms", "1500"}} : Fields{};
  site.open("/a", fields);
  Trip& next = site.open("/a");
  site.worker.loop.pass(by_header ? 499ms : 999ms);
  CHECK_FALSE(next.forwarded());
  site.worker.loop.pass(1ms);
  CHECK(next.forwarded());
}

TEST_CASE("who has waited for as long as it has time fetches itself, for the others too") {
  Site site;
  site.open("/a");
  Trip& waiter = site.open("/a", {{"x-envoy-upstream-rq-timeout-ms", "100"}});
  Trip& other = site.open("/a");
  REQUIRE(waiter.calls.waiting() == 1);
  waiter.calls.expire();

  CHECK(waiter.forwarded());
  waiter.answer(kFresh, "own");
  CHECK(waiter.client.body == "own");
  site.worker.loop.turn();
  CHECK(other.client.body == "own");
}

TEST_CASE("an upstream that fails is asked by one after the other") {
  Site site;
  Trip& lead = site.open("/a");
  Trip& next = site.open("/a");
  Trip& last = site.open("/a");
  lead.answer({}, "down", 503);
  site.worker.loop.turn();

  CHECK(next.forwarded());
  CHECK_FALSE(last.forwarded());
  next.runner->localReply(filter::Reply{503, "no host", "no_healthy_upstream"});
  site.worker.loop.turn();
  CHECK(last.forwarded());
}

TEST_CASE("who waits and goes leaves nothing behind") {
  Site site;
  Trip& lead = site.open("/a");
  site.open("/a").runner->end();
  site.trips.pop_back();
  lead.answer(kFresh, "body");
  site.worker.loop.turn();
  CHECK(site.hits("/a"));
}

TEST_CASE("requests that want an answer of their own neither wait nor are waited for") {
  Site site;
  CHECK(site.open("/a", {{"authorization", "x"}}).forwarded());
  CHECK(site.open("/a", {{"range", "bytes=0-1"}}).forwarded());
  CHECK(site.open("/a", {{"if-none-match", "\"1\""}}).forwarded());
  CHECK(site.open("/a", {{"cache-control", "no-cache"}}).forwarded());
  CHECK(site.open("/a", {{"cache-control", "no-store"}}).forwarded());
  CHECK(site.open("/a").forwarded());
}

TEST_CASE("while one validates, others get the stale answer if it allows that") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60, stale-while-revalidate=30"}, {"etag", "\"1\""}});
  site.time += 70s;
  Trip& lead = site.open("/a");
  CHECK(lead.forwarded());
  Trip& stale = site.open("/a");
  CHECK_FALSE(stale.forwarded());
  CHECK(stale.client.body == "body");
  CHECK(stale.of("cache-status") == "sluice; hit; ttl=-10");

  site.time += 30s;
  Trip& late = site.open("/a");
  CHECK_FALSE(late.forwarded());
  CHECK(late.client.heads == 0);
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

TEST_CASE("routes that make another request by more than the key are gone by") {
  route::ForwardSpec forward;
  forward.host_source.emplace();
  Site site("", forwardingTable(std::move(forward)));
  Trip& trip = site.fill("/a");
  CHECK(trip.of("cache-status") == "sluice; fwd=bypass");
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("routes that rewrite in another way have answers of their own") {
  const auto routeTo = [](route::ForwardSpec forward) {
    forward.cluster = 1;
    forward.cluster_name = "up";
    return route::RouteSpec{.path = "/", .action = std::move(forward)};
  };
  const auto serves = [&routeTo](route::ForwardSpec forward, uint64_t fingerprint = 0) {
    route::RouteSpec asked = routeTo(std::move(forward));
    asked.fingerprint = fingerprint;
    match::HeaderMatcher header;
    header.setName("x-new");
    asked.conditions.headers.push_back(header);
    route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
    host.routes = {std::move(asked), routeTo({})};
    route::TableSpec spec;
    spec.virtual_hosts.push_back(std::move(host));
    Site site("", *route::Table::build(std::move(spec)));
    site.fill("/a", kFresh, "new", {{"x-new", "1"}});
    return site.hits("/a");
  };

  CHECK(serves({}));
  CHECK_FALSE(serves({.prefix_rewrite = "/b/"}));
  CHECK_FALSE(serves({.regex_rewrite = route::RegexRewrite{*match::compileRegex("a"), "b"}}));
  CHECK_FALSE(serves({}, 1));  // whatever it is
}

TEST_CASE("shares of a weighted cluster that differ have answers of their own") {
  route::ForwardSpec forward;
  forward.weighted = {{.cluster = 1, .cluster_name = "up", .weight = 1, .fingerprint = 5},
                      {.cluster = 1, .cluster_name = "up", .weight = 1, .fingerprint = 6},
                      {.cluster = 1, .cluster_name = "up", .weight = 1, .fingerprint = 5}};
  Site site("", forwardingTable(std::move(forward)));
  site.fill("/a");
  site.chance = 1;
  CHECK_FALSE(site.hits("/a"));
  site.chance = 2;
  CHECK(site.hits("/a"));
}

TEST_CASE("what filters in front want of the host is a part of the key") {
  const filter::testing::Script front{.name = "front",
                                      .hooks = filter::kRequestHeaders,
                                      .request_headers = [](http::RequestHeaders& headers, filter::Context& context) {
                                        if (const auto of = headers.get("x-version")) {
                                          context.info().metadata().set("envoy.lb", "version", {std::string(*of)});
                                        }
                                        return filter::Next{};
                                      }};
  Site site;
  site.chain.insert(site.chain.begin(), filter::testing::scripted(front));
  site.fill("/a", kFresh, "one", {{"x-version", "1"}});
  CHECK_FALSE(site.hits("/a"));
  CHECK_FALSE(site.hits("/a", {{"x-version", "2"}}));
  CHECK(site.open("/a", {{"x-version", "1"}}).client.body == "one");
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

TEST_CASE("stored answers are purged by URL, by prefix and by the tags that they have") {
  Site site("allowed_vary_headers: [{exact: accept}]");
  const Fields tagged = {{"cache-control", "max-age=60"}, {"cache-tag", "news, sport"}, {"vary", "accept"}};
  site.fill("/a?x=1", tagged, "xml", {{"accept", "xml"}});
  site.fill("/a?x=1", tagged, "json", {{"accept", "json"}});
  site.fill("/a?x=1", kFresh, "other", {{"origin", "http://b.example"}});
  site.fill("/b", {{"cache-control", "max-age=60"}, {"surrogate-key", "news"}});

  CHECK(site.purge(By::kAddress, "a.example/a") == 0);
  CHECK(site.purge(By::kAddress, "A.example:80/a?x=1") == 3);
  CHECK_FALSE(site.hits("/a?x=1", {{"accept", "xml"}}));
  CHECK(site.hits("/b"));
  CHECK(site.purge(By::kTag, "news") == 1);
  CHECK_FALSE(site.hits("/b"));

  site.trips.clear();
  site.fill("/b");
  CHECK(site.purge(By::kPrefix, "a.example/") == 1);
}

TEST_CASE("tags stand in the fields that the configuration names") {
  Site site("", forwardingTable(), kTagged);
  site.fill("/a", {{"cache-control", "max-age=60"}, {"x-tags", "one"}, {"cache-tag", "two"}});

  CHECK(site.purge(By::kTag, "two") == 0);
  CHECK(site.purge(By::kTag, "one") == 1);
}

TEST_CASE("an answer that is purged by what is not known is not stored") {
  Site site;
  std::string tags;
  for (int i = 0; i <= 1000; ++i) tags += std::to_string(i) + " ";
  site.fill("/a", {{"cache-control", "max-age=60"}, {"cache-tag", tags}});
  CHECK_FALSE(site.hits("/a"));
}

TEST_CASE("an answer that was asked for before a purge is not stored after it") {
  Site site;
  const auto [by, text] = GENERATE(
      table<By, std::string_view>({{By::kAddress, "a.example/a"}, {By::kPrefix, "a.exam"}, {By::kTag, "news"}}));
  Trip& old = site.open("/a");
  old.respond(200, {{"cache-control", "max-age=60"}, {"cache-tag", "news"}}, false);
  Trip& other = site.open("/b");
  CHECK(site.purge(by, text) == 0);
  Trip& waiter = site.open("/a");
  CHECK_FALSE(waiter.forwarded());

  old.runner->responseData("old", true);
  other.answer(kFresh, "b");
  site.worker.loop.turn();

  CHECK(old.client.body == "old");
  REQUIRE(waiter.forwarded());
  waiter.answer({{"cache-control", "max-age=60"}, {"cache-tag", "news"}}, "new");
  CHECK(site.open("/a").client.body == "new");
  CHECK(site.hits("/b") == (by != By::kPrefix));
}

TEST_CASE("what is being validated when a purge comes is not made good again") {
  Site site;
  site.fill("/a", {{"cache-control", "max-age=60"}, {"etag", "\"1\""}});
  site.time += 60s;
  Trip& validated = site.open("/a");
  Trip& waiter = site.open("/a");
  CHECK(site.purge(By::kAddress, "a.example/a") == 1);
  validated.answer({{"cache-control", "max-age=60"}}, "", 304);
  site.worker.loop.turn();

  CHECK(validated.client.body == "body");
  REQUIRE(waiter.forwarded());
  CHECK(waiter.sent("if-none-match") == "(none)");
  CHECK_FALSE(site.hits("/a", {{"cache-control", "max-age=1"}}));
}

TEST_CASE("where the key leaves out hosts or parameters, purges leave them out, too") {
  Site site("key_creator_params: {exclude_host: true, query_parameters_excluded: [{name: utm}]}");
  site.fill("/a?utm=1");
  CHECK(site.purge(By::kAddress, "b.example/a?utm=2") == 1);
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
