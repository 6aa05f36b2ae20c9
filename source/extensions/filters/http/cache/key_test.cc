#include "source/extensions/filters/http/cache/key.h"

#include <catch2/catch.hpp>

#include "source/extensions/filters/http/cache/test_site.h"
#include "source/route/sticky_split.h"

namespace sluice::extensions::http_filters::cache {
namespace {

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

TEST_CASE("answers that depend on what the route makes of more than the field are not stored") {
  struct Format : route::ValueFormatter {
    void format(const stream::FormatContext&, std::string&) const override {}
  };
  const bool is_formatted = GENERATE(true, false);
  const std::string name = GENERATE("x-agent", "x-forwarded-host");
  route::RouteSpec route{.path = "/", .action = route::ForwardSpec{.cluster = 1, .cluster_name = "up"}};
  route.mutations.request.add.push_back({.name = name, .value = "fixed"});
  if (is_formatted) route.mutations.request.add[0].formatter = std::make_shared<const Format>();
  route::TableSpec spec;
  spec.virtual_hosts.push_back({.name = "v", .domains = {"*"}, .routes = {std::move(route)}});
  Site site("allowed_vary_headers: [{prefix: x-}]", *route::Table::build(std::move(spec)));

  site.fill("/a", {{"cache-control", "max-age=60"}, {"vary", name}}, "one's", {{"user-agent", "one"}});

  CHECK(site.hits("/a", {{"user-agent", "two"}}) == !is_formatted);
}

TEST_CASE("an answer that depends on the host is not stored without it") {
  Site site("key_creator_params: {exclude_host: true}\nallowed_vary_headers: [{prefix: h}]");
  site.fill("/a", {{"cache-control", "max-age=60"}, {"vary", "host"}});
  CHECK_FALSE(site.hits("/a"));
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

TEST_CASE("whose cluster filters in front have told gets the answers of that cluster") {
  using Split = route::StickySplit;
  route::ForwardSpec forward;
  forward.weighted = {{.cluster = 1, .cluster_name = "up", .weight = 1},
                      {.cluster = 2, .cluster_name = "canary", .weight = 1}};
  const std::vector<Split::Key> keys = {{Split::Key::Source::kMetadata, "users", {"id"}}};
  forward.split = std::make_shared<const Split>("r", keys, std::nullopt);
  const filter::testing::Script front{.name = "front",
                                      .hooks = filter::kRequestHeaders,
                                      .request_headers = [](http::RequestHeaders& headers, filter::Context& context) {
                                        const std::string user(headers.get("x-user").value_or(""));
                                        context.info().metadata().set("users", "id", {user});
                                        return filter::Next{};
                                      }};
  Site site("", forwardingTable(std::move(forward)));
  site.chain.insert(site.chain.begin(), filter::testing::scripted(front));
  const auto userOf = [](uint64_t half) {
    int user = 0;
    while (Split::pointOf("r", std::to_string(user)) >> 63 != half) ++user;
    return Fields{{"x-user", std::to_string(user)}};
  };

  site.fill("/a", kFresh, "up's", userOf(0));
  site.fill("/a", kFresh, "canary's", userOf(1));

  CHECK(site.open("/a", userOf(0)).client.body == "up's");
  CHECK(site.open("/a", userOf(1)).client.body == "canary's");
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

}  // namespace
}  // namespace sluice::extensions::http_filters::cache
