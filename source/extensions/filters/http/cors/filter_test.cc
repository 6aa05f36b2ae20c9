#include "source/extensions/filters/http/cors/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "source/extensions/filters/http/cors/factory.h"
#include "source/filter/local_reply.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::cors {
namespace {

namespace v3 = envoy::extensions::filters::http::cors::v3;
using filter::testing::Fields;
using filter::testing::Harness;

constexpr observability::Counter kValid{1}, kInvalid{2};
// The slot of the older form; the filter's own is 0.
constexpr route::FilterSlot kOlder = 1;

struct World : filter::testing::FilterWorld<v3::Cors, v3::CorsPolicy> {
  World() : FilterWorld(registerFactory) {}

  auto policy(const std::string& yaml) { return yaml.empty() ? nullptr : compileRoute("{" + yaml + "}"); }
};

std::shared_ptr<const filter::HttpFilterFactory> filterFactory() {
  return std::make_shared<FilterFactory>(Settings{kOlder, kValid, kInvalid});
}

// A table whose one host and one route have policies, in the form of today and in the older one; empty: none.
struct Policies {
  std::string host, route, older_host, older_route;
  bool redirects = false;
};

std::shared_ptr<const route::Table> tableWith(World& world, const Policies& policies) {
  const auto add = [&](route::PerFilterSpec& out, route::FilterSlot slot, const std::string& yaml) {
    if (!yaml.empty()) out.emplace_back(slot, world.policy(yaml));
  };
  route::TableSpec table;
  route::VirtualHostSpec& host = table.virtual_hosts.emplace_back();
  host.name = "v";
  host.domains = {"*"};
  add(host.per_filter, 0, policies.host);
  add(host.per_filter, kOlder, policies.older_host);
  route::RouteSpec& route = host.routes.emplace_back();
  route.path = "/";
  if (policies.redirects) {
    route.action = route::RedirectSpec{};
  } else {
    route.action = route::ForwardSpec{};
  }
  add(route.per_filter, 0, policies.route);
  add(route.per_filter, kOlder, policies.older_route);
  INFO(world.problems());
  REQUIRE(world.errors.empty());
  auto built = route::Table::build(std::move(table));
  REQUIRE(built.ok());
  return *built;
}

// One request through the filter.
struct Asked {
  explicit Asked(const Policies& policies, uint64_t random = 0)
      : h(filter::testing::entriesOf({filterFactory()}), tableWith(world, policies)) {
    h.stream.next_random = random;
  }
  explicit Asked(const std::string& yaml)
      : Asked(Policies{.host = {}, .route = yaml, .older_host = {}, .older_route = {}}) {}

  // What a browser is told of a GET that the upstream answers.
  Fields get(const Fields& fields, const Fields& answer = {}) {
    h.request("GET", fields, true);
    h.respond(200, answer, true);
    return h.client.headers;
  }
  // Whether it was answered here.
  bool preflight(Fields fields, const std::string& method = "PUT") {
    fields.emplace_back("access-control-request-method", method);
    h.request("OPTIONS", fields, true);
    return h.client.heads == 1;
  }
  std::string told(const std::string& name) {
    for (const auto& [known, value] : h.client.headers) {
      if (known == name) return value;
    }
    return "";
  }

  World world;
  Harness h;
};

const std::string kOrigin = "https://a.example";
const std::string kPolicy = "allow_origin_string_match: [{exact: 'https://a.example'}]";
const Fields kFrom{{"origin", kOrigin}};
const Fields kFromOther{{"origin", "https://b.example"}};

TEST_CASE("an answer to an allowed origin says that the origin may read it") {
  Asked asked(kPolicy + ", allow_credentials: true, expose_headers: x-a, allow_methods: GET");
  CHECK(asked.get(kFrom, {{"access-control-allow-origin", "*"}}) == Fields{{"access-control-allow-origin", kOrigin},
                                                                           {"vary", "origin"},
                                                                           {"access-control-allow-credentials", "true"},
                                                                           {"access-control-expose-headers", "x-a"}});
  CHECK(asked.h.counted(kValid) == 1);
  CHECK(asked.h.counted(kInvalid) == 0);
}

TEST_CASE("another origin gets the answer of the upstream as it is") {
  Asked asked(kPolicy + ", allow_credentials: true, expose_headers: x-a");
  CHECK(asked.get(kFromOther, {{"x-b", "1"}}) == Fields{{"x-b", "1"}, {"vary", "origin"}});
  CHECK(asked.h.counted(kInvalid) == 1);
}

TEST_CASE("caches are told that answers differ by origin, once") {
  CHECK(Asked(kPolicy).get({}) == Fields{{"vary", "origin"}});
  CHECK(Asked(kPolicy).get({}, {{"vary", "accept, Origin"}}) == Fields{{"vary", "accept, Origin"}});
  CHECK(Asked(kPolicy).get({}, {{"vary", "*"}}) == Fields{{"vary", "*"}});
  CHECK(Asked(kPolicy).get({}, {{"vary", "x-origin"}}) == Fields{{"vary", "x-origin"}, {"vary", "origin"}});
}

TEST_CASE("without a policy nothing is done") {
  Asked asked(Policies{});
  CHECK(asked.get(kFrom) == Fields{});
  CHECK(asked.h.counted(kValid) + asked.h.counted(kInvalid) == 0);
}

TEST_CASE("a preflight of an allowed origin is answered here") {
  Asked asked(kPolicy + ", allow_methods: 'GET, PUT', allow_headers: x-a, max_age: '60', allow_credentials: true");
  CHECK(asked.preflight({{"origin", kOrigin}, {"access-control-request-private-network", "true"}}));
  CHECK(asked.h.client.status == 200);
  CHECK(asked.h.terminal.heads == 0);
  CHECK(asked.h.stream.info().response_code_details == "cors_response");
  CHECK(asked.told("access-control-allow-origin") == kOrigin);
  CHECK(asked.told("access-control-allow-methods") == "GET, PUT");
  CHECK(asked.told("access-control-allow-headers") == "x-a");
  CHECK(asked.told("access-control-max-age") == "60");
  CHECK(asked.told("access-control-allow-credentials") == "true");
  CHECK(asked.told("access-control-allow-private-network") == "");
  CHECK(asked.told("vary") == "origin");
}

// Whether an answer counts as what was asked for.
struct Seen : filter::ReplyMapper {
  void map(filter::Reply& reply, filter::Stream&) const override { as_asked = reply.as_asked; }
  mutable bool as_asked = false;
};

TEST_CASE("the answer to a preflight is not one that local_reply_config changes") {
  Asked asked(kPolicy);
  Seen seen;
  asked.h.client.mapper = &seen;
  CHECK(asked.preflight(kFrom));
  CHECK(seen.as_asked);
}

TEST_CASE("a star allows what the preflight asks for") {
  Asked asked("allow_origin_string_match: [{exact: '*'}], allow_methods: '*', allow_headers: '*'");
  CHECK(asked.preflight({{"origin", "https://b.example"}, {"access-control-request-headers", "x-a,x-b"}}, "DELETE"));
  CHECK(asked.told("access-control-allow-origin") == "https://b.example");
  CHECK(asked.told("access-control-allow-methods") == "DELETE");
  CHECK(asked.told("access-control-allow-headers") == "x-a,x-b");
}

TEST_CASE("a preflight to a private network is agreed to where the policy says so") {
  Asked asked(kPolicy + ", allow_private_network_access: true");
  CHECK(asked.preflight({{"origin", kOrigin}, {"access-control-request-private-network", "true"}}));
  CHECK(asked.told("access-control-allow-private-network") == "true");
}

TEST_CASE("a preflight of another origin goes to the upstream, or gets no leave") {
  CHECK_FALSE(Asked(kPolicy).preflight(kFromOther));

  Asked asked(kPolicy + ", forward_not_matching_preflights: false");
  CHECK(asked.preflight(kFromOther));
  CHECK(asked.h.client.status == 200);
  CHECK(asked.told("access-control-allow-origin") == "");
}

TEST_CASE("OPTIONS that is no preflight goes to the upstream") {
  Asked asked(kPolicy);
  asked.h.request("OPTIONS", kFrom, true);
  CHECK(asked.h.terminal.heads == 1);
  Asked empty(kPolicy);
  CHECK_FALSE(empty.preflight(kFrom, ""));
}

TEST_CASE("each value is that of the most specific level that has it") {
  Asked asked(Policies{.host = kPolicy + ", allow_methods: GET, allow_headers: x-a, allow_credentials: true",
                       .route = "allow_methods: PUT, allow_credentials: false",
                       .older_host = {},
                       .older_route = {}});
  CHECK(asked.preflight(kFrom));
  CHECK(asked.told("access-control-allow-methods") == "PUT");
  CHECK(asked.told("access-control-allow-headers") == "x-a");
  CHECK(asked.told("access-control-allow-credentials") == "");
}

TEST_CASE("a route's own origins replace those of its host") {
  Asked asked(Policies{.host = kPolicy,
                       .route = "allow_origin_string_match: [{suffix: '.b.example'}]",
                       .older_host = {},
                       .older_route = {}});
  CHECK(asked.get(kFrom) == Fields{{"vary", "origin"}});
}

TEST_CASE("the older form counts where there is no policy of the new one") {
  Asked asked(Policies{.host = {}, .route = {}, .older_host = kPolicy, .older_route = "expose_headers: x-a"});
  CHECK(asked.get(kFrom) ==
        Fields{{"vary", "origin"}, {"access-control-allow-origin", kOrigin}, {"access-control-expose-headers", "x-a"}});
  Asked newer(Policies{.host = "expose_headers: x-b", .route = {}, .older_host = kPolicy, .older_route = {}});
  CHECK(newer.get(kFrom) == Fields{{"vary", "origin"}});
}

TEST_CASE("a policy that is off does nothing, but its shadow counts") {
  const std::string off = ", filter_enabled: {default_value: {numerator: 0}}";
  Asked asked(kPolicy + off);
  CHECK(asked.get(kFrom) == Fields{});
  CHECK(asked.h.counted(kValid) == 0);

  Asked shadow(kPolicy + off + ", shadow_enabled: {default_value: {numerator: 100}}");
  CHECK_FALSE(shadow.preflight(kFrom));
  CHECK(shadow.h.counted(kValid) == 1);
}

TEST_CASE("a share of requests is drawn by chance") {
  const Policies half{.host = {},
                      .route = kPolicy + ", filter_enabled: {default_value: {numerator: 50}}",
                      .older_host = {},
                      .older_route = {}};
  CHECK(Asked(half, 49).get(kFrom).size() == 2);
  CHECK(Asked(half, 50).get(kFrom).empty());
}

TEST_CASE("routes that lead to no cluster are left alone") {
  Asked asked(Policies{.host = kPolicy, .route = {}, .older_host = {}, .older_route = {}, .redirects = true});
  CHECK_FALSE(asked.preflight(kFrom));
}

TEST_CASE("wrong policies are refused, careless ones warned of") {
  World wrong;
  CHECK(wrong.policy("allow_methods: \"GET\\nPUT\"") == nullptr);
  CHECK(wrong.problems().find("allow_methods: has a control character") != std::string::npos);

  World careless;
  CHECK(careless.policy("allow_origin_string_match: [{safe_regex: {regex: '.*'}}], allow_credentials: true") !=
        nullptr);
  REQUIRE(careless.errors.warnings().size() == 1);
  CHECK(careless.errors.warnings()[0].path == "allow_credentials");

  World sound;
  CHECK(sound.policy(kPolicy + ", allow_credentials: true") != nullptr);
  CHECK(sound.errors.warnings().empty());
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [] { return std::vector{filterFactory()}; };
  suite.table = tableWith(world, {.host = {}, .route = kPolicy, .older_host = {}, .older_route = {}});
  suite.request.headers = kFrom;

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::cors
