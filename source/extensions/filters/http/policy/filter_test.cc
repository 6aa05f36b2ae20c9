#include "source/extensions/filters/http/policy/filter.h"

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "sluice/extensions/filters/http/policy/v1/policy.pb.h"
#include "source/config/filter_routes.h"
#include "source/extensions/filters/http/policy/factory.h"
#include "source/filter/identity.h"
#include "source/route/sticky_split.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::policy {
namespace {

namespace v1 = sluice::extensions::filters::http::policy::v1;
using filter::testing::Fields;
using filter::testing::Harness;
using route::SettingsLevel;

const std::string kType = "'@type': type.googleapis.com/sluice.extensions.filters.http.policy.v1.PolicySet";

// The policy sets of a table with one route, without braces; empty: none.
struct Sets {
  std::string table = "", host = "", route = "", cluster = "";
};

std::string setting(const std::string& set) {
  return set.empty() ? "" : ", typed_per_filter_config: {p: {" + kType + ", " + set + "}}";
}

std::string tableYaml(const Sets& sets) {
  return "{name: t, virtual_hosts: [{name: v, domains: ['*'], routes: [{name: r, match: {prefix: /}, route: "
         "{weighted_clusters: {clusters: [{name: c, weight: 1" +
         setting(sets.cluster) + "}]}}" + setting(sets.route) + "}]" + setting(sets.host) + "}]" + setting(sets.table) +
         "}";
}

struct World : filter::testing::FilterWorld<v1::Policy, v1::PolicySet> {
  World() : FilterWorld(registerFactory, "http.p.policy.") { filter_slots.slotOf("p"); }

  // `filter`: fields of Policy. Null after an error.
  std::shared_ptr<const route::Table> table(const std::string& filter, const std::string& yaml,
                                            bool with_chain = true) {
    envoy::config::route::v3::RouteConfiguration proto;
    factory_made = compile("{" + filter + "}");
    if (!errors.empty() || !load(yaml, proto)) return nullptr;
    chain = {{"p", {&factory(), factory_made}}};
    return config::compileRoutes(proto, at, services, with_chain ? &chain : nullptr, "http.p.");
  }

  std::shared_ptr<const filter::HttpFilterFactory> factory_made;
  config::ChainFilters chain;
};

// One request through a filter and the levels of a route.
struct Asked {
  explicit Asked(const std::string& filter, const Sets& sets = {}, bool checked = true) {
    const auto table = world.table(filter, tableYaml(sets), checked);
    INFO(world.problems());
    REQUIRE(table);
    std::vector<filter::ChainConfig::Entry> entries{{"p", world.factory_made, 0}};
    entries[0].always = true;
    h.emplace(std::move(entries), table);
  }
  Asked& identity(filter::Identity identity) {
    h->stream.info().metadata().setShared(h->stream.arena(), stream::kIdentityMetadata,
                                          filter::identityFields(std::move(identity)));
    return *this;
  }
  // "" if it came through.
  std::string refusal(const Fields& fields = {}, const std::string& path = "/") {
    h->stream.request().path = h->stream.arena().copy(path);
    h->request("GET", fields, true);
    if (h->terminal.heads == 1) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  std::string metadata(const std::string& key) {
    const auto* value = h->stream.info().metadata().find("sluice.policy", {key});
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

// A rule that wants a header.
std::string needs(const std::string& header, const std::string& more = "", const std::string& name = "") {
  return "{name: " + (name.empty() ? header : name) + ", require: {permissions: [{header: {name: " + header + "}}]}" +
         more + "}";
}

std::string rules(const std::string& list, const std::string& more = "") {
  return "rules: [" + list + "]" + more;
}

std::string ofFilter(const std::string& set) {
  return "policies: {" + set + "}";
}

TEST_CASE("without rules all requests go on") {
  CHECK(Asked("").refusal().empty());
  CHECK(Asked("policies: {}", {.table = "rules: []"}).refusal().empty());
}

TEST_CASE("the rules of all levels hold, and the refusal names the rule and its level") {
  const std::string filter = ofFilter(rules(needs("a")));
  const Sets sets{rules(needs("b")), rules(needs("c")), rules(needs("d")), rules(needs("e"))};
  const auto refusal = [&](const Fields& fields) { return Asked(filter, sets).refusal(fields); };

  CHECK(refusal({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}}).empty());
  CHECK(refusal({{"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}}) == "403 policy_denied[a@filter]");
  CHECK(refusal({{"a", ""}, {"c", ""}, {"d", ""}, {"e", ""}}) == "403 policy_denied[b@table]");
  CHECK(refusal({{"a", ""}, {"b", ""}, {"d", ""}, {"e", ""}}) == "403 policy_denied[c@virtual_host]");
  CHECK(refusal({{"a", ""}, {"b", ""}, {"c", ""}, {"e", ""}}) == "403 policy_denied[d@route]");
  CHECK(refusal({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}) == "403 policy_denied[e@cluster]");
}

TEST_CASE("a rule is about the requests that it says") {
  const std::string filter = ofFilter(
      rules("{name: admin, when: {permissions: [{url_path: {path: {prefix: /admin}}}]}, require: {groups: [ops]}}"));
  CHECK(Asked(filter).refusal({}, "/x").empty());
  CHECK(Asked(filter).refusal({}, "/admin/x?y") == "403 policy_denied[admin@filter]");
  CHECK(Asked(filter).identity({.method = "key", .subject = "s", .groups = {"ops"}}).refusal({}, "/admin").empty());
}

TEST_CASE("a rule may deny, and says how") {
  const std::string filter = ofFilter(
      rules("{name: no-x, deny: {permissions: [{header: {name: x}}]}, status: 451, message: 'no', details: 'see "
            "7'}, {name: all, "
            "when: {permissions: [{header: {name: 'y'}}]}, deny: {}}"));
  CHECK(Asked(filter).refusal().empty());
  CHECK(Asked(filter).refusal({{"y", ""}}) == "403 policy_denied[all@filter]");
  Asked asked(filter);
  CHECK(asked.refusal({{"x", ""}}) == "451 policy_denied[no-x@filter]");
  CHECK(asked.h->client.body == "no");
  CHECK(asked.metadata("denied") == "no-x@filter");
  CHECK(asked.metadata("details") == "see 7");
  CHECK(asked.counted("denied") == 1);
  CHECK(asked.counted("allowed") == 0);
}

TEST_CASE("rules ask who sends a request") {
  const auto admitted = [](const std::string& condition, const filter::Identity& identity) {
    return Asked(ofFilter(rules("{name: r, require: {" + condition + "}}"))).identity(identity).refusal().empty();
  };
  const filter::Identity ann{
      .method = "jwt",
      .subject = "ann",
      .consumer = "acme",
      .groups = {"staff", "ops"},
      .claims = {{"scope", {stream::MetadataList{{std::string("read")}, {std::string("write")}}}},
                 {"email_verified", {true}},
                 {"level", {3.0}},
                 {"tenants", {stream::MetadataList{{7.0}, {true}}}},
                 {"org", {stream::MetadataFields{{"name", {std::string("a")}}}}}}};
  CHECK(admitted("authenticated: true", ann));
  CHECK_FALSE(admitted("authenticated: true", {.method = "", .subject = ""}));
  CHECK_FALSE(admitted("authenticated: true", {.method = "anonymous", .subject = "guest", .consumer = "guest"}));
  CHECK(admitted("groups: [ops, admin]", ann));
  CHECK(admitted("groups: [staff]", ann));
  CHECK_FALSE(admitted("groups: [admin]", ann));
  CHECK_FALSE(admitted("groups: [op]", ann));
  CHECK(admitted("consumers: [acme, other]", ann));
  CHECK_FALSE(admitted("consumers: [other]", ann));
  CHECK(admitted("claims: [{path: [scope], values: [write]}]", ann));
  CHECK(admitted("claims: [{path: [org, name], values: [b, a]}, {path: [email_verified], values: ['true']}]", ann));
  CHECK_FALSE(admitted("claims: [{path: [scope], values: [write]}, {path: [scope], values: [delete]}]", ann));
  CHECK_FALSE(admitted("claims: [{path: [email_verified], values: ['false']}]", ann));
  CHECK(admitted("claims: [{path: [level], values: ['2', '3']}, {path: [tenants], values: ['7']}]", ann));
  CHECK(admitted("claims: [{path: [tenants], values: ['true']}]", ann));
  CHECK_FALSE(admitted("claims: [{path: [level], values: ['03', '3.0', '30', ' 3']}]", ann));
  CHECK_FALSE(admitted("claims: [{path: [tenants], values: ['8', 'false']}]", ann));
  CHECK(admitted("claims: [{path: [org]}]", ann));
  CHECK_FALSE(admitted("claims: [{path: [none]}]", ann));
  CHECK_FALSE(admitted("authenticated: true, groups: [admin]", ann));
  CHECK(admitted("principals: [{any: true}], groups: [ops]", ann));
  CHECK_FALSE(admitted("principals: [{header: {name: x}}], groups: [ops]", ann));
}

TEST_CASE("what an expression cannot tell counts against the request") {
  const auto refused = [](const std::string& rule, const Fields& fields) {
    return !Asked(ofFilter(rules("{name: r, " + rule + "}"))).refusal(fields).empty();
  };
  const std::string is_a = "{expression: \"request.headers['x'] == 'a'\"}";
  CHECK(refused("require: " + is_a, {}));
  CHECK_FALSE(refused("require: " + is_a, {{"x", "a"}}));
  CHECK(refused("deny: " + is_a, {}));
  CHECK(refused("deny: " + is_a, {{"x", "a"}}));
  CHECK_FALSE(refused("deny: " + is_a, {{"x", "b"}}));
  CHECK(refused("when: " + is_a + ", deny: {}", {}));
  CHECK_FALSE(refused("when: " + is_a + ", deny: {}", {{"x", "b"}}));
}

TEST_CASE("with default_action DENY a rule of the same level has to let a request in") {
  const std::string deny = ", default_action: DENY";
  CHECK(Asked(ofFilter("default_action: DENY")).refusal() == "403 policy_denied[default@filter]");
  CHECK(Asked(ofFilter(rules("{name: a, require: {}}", deny))).refusal().empty());
  const std::string when_x = rules("{name: a, when: {permissions: [{header: {name: x}}]}, require: {}}", deny);
  CHECK(Asked("", {.route = when_x}).refusal({{"x", ""}}).empty());
  CHECK(Asked("", {.route = when_x}).refusal() == "403 policy_denied[default@route]");
  CHECK(Asked(ofFilter("default_action: DENY"), {.route = rules("{name: a, require: {}}")}).refusal() ==
        "403 policy_denied[default@filter]");
  CHECK(Asked(ofFilter(rules("{name: a, deny: {permissions: [{header: {name: x}}]}}", deny))).refusal() ==
        "403 policy_denied[default@filter]");
  CHECK(Asked(ofFilter(rules("{name: a, require: {}, report_only: true}", deny))).refusal() ==
        "403 policy_denied[default@filter]");
}

TEST_CASE("a level may do without a rule that allows it, or put another in its place") {
  const std::string filter = ofFilter(rules(needs("a", ", may_relax: true") + ", " + needs("b")));
  CHECK(Asked(filter, {.route = "relax: [a]"}).refusal({{"b", ""}}).empty());
  CHECK(Asked(filter, {.route = "relax: [a]"}).refusal({{"a", ""}}) == "403 policy_denied[b@filter]");
  const Sets replaced{.host = rules(needs("c", "", "a"), ", relax: [a]")};
  CHECK(Asked(filter, replaced).refusal({{"b", ""}, {"c", ""}}).empty());
  CHECK(Asked(filter, replaced).refusal({{"a", ""}, {"b", ""}}) == "403 policy_denied[a@virtual_host]");
  // A name alone takes nothing away.
  CHECK(Asked(filter, {.host = rules(needs("c", "", "a"))}).refusal({{"b", ""}, {"c", ""}}) ==
        "403 policy_denied[a@filter]");
  const std::string by_default = ofFilter("default_action: DENY, default_may_relax: true");
  CHECK(Asked(by_default, {.cluster = "relax: [default]"}).refusal().empty());
  CHECK(Asked(by_default).refusal() == "403 policy_denied[default@filter]");
}

TEST_CASE("a rule that does not hold somewhere lets in as if it did") {
  const std::string filter = ofFilter(rules(needs("a", ", may_relax: true"), ", default_action: DENY"));
  CHECK(Asked(filter, {.route = "relax: [a]"}).refusal().empty());
  CHECK(Asked(filter).refusal() == "403 policy_denied[a@filter]");
}

TEST_CASE("what may not be relaxed holds, also where nobody could refuse the table") {
  const std::string filter = ofFilter(rules(needs("a")));
  CHECK(Asked(filter, {.route = "relax: [a, b]"}, false).refusal() == "403 policy_denied[a@filter]");
  CHECK(Asked(filter, {.route = "relax: [a]"}, false).refusal({{"a", ""}}).empty());
}

TEST_CASE("rules that report only refuse nothing, and are told once") {
  const std::string reporting = rules(needs("a", ", report_only: true"), ", track_per_rule_stats: true");
  Asked asked(ofFilter(reporting), {.route = reporting});
  CHECK(asked.refusal().empty());
  CHECK(asked.metadata("reported") == "a@filter,a@route");
  CHECK(asked.counted("reported") == 2);
  CHECK(asked.counted("filter.a.reported") == 1);
  CHECK(asked.counted("route.a.reported") == 1);
  CHECK(asked.counted("allowed") == 1);
  CHECK(asked.counted("denied") == 0);
}

TEST_CASE("rules are counted by name where that is asked for") {
  Asked asked(ofFilter(rules(needs("a"), ", default_action: DENY, track_per_rule_stats: true")));
  CHECK_FALSE(asked.refusal().empty());
  CHECK(asked.counted("filter.a.denied") == 1);
  CHECK(asked.counted("filter.default.denied") == 0);
  CHECK(asked.counted("denied") == 1);
}

// --- what is refused

std::string problems(const std::string& filter, const Sets& sets = {}, bool with_chain = true) {
  World world;
  world.table(filter, tableYaml(sets), with_chain);
  return world.problems();
}

void says(const std::string& problems, const std::string& text) {
  CHECK_THAT(problems, Catch::Contains(text));
}

TEST_CASE("a relaxation that no level above grants is refused with its place") {
  const std::string filter = ofFilter(rules(needs("a") + ", " + needs("b", ", may_relax: true")));
  says(
      problems(filter, {.route = "relax: [b, a]"}),
      "virtual_hosts[0].routes[0].typed_per_filter_config[\"p\"].relax[1]: \"a\" of the filter holds for all below it");
  says(problems(filter, {.host = "relax: [c]"}),
       "virtual_hosts[0].typed_per_filter_config[\"p\"].relax[0]: \"c\" is no rule of a level above");
  says(problems("", {.table = rules(needs("x")), .cluster = "relax: [x]"}), "\"x\" of the table 't' holds");
  says(problems("", {.table = "relax: [x]", .route = rules(needs("x", ", may_relax: true"))}), "is no rule of a level");
  says(problems(ofFilter("default_action: DENY"), {.table = "relax: [default]"}), "\"default\" of the filter holds");
  says(problems(ofFilter("relax: [a]")), "policies.relax: names rules of levels above");
  CHECK(problems(filter, {.host = "relax: [b]", .route = "relax: [b]"}).empty());
}

TEST_CASE("without its chain a table is judged by what it has itself") {
  CHECK(problems("", {.route = "relax: [of-filter]"}, false).empty());
  says(problems("", {.host = rules(needs("x")), .route = "relax: [x]"}, false),
       "\"x\" of the virtual_host 'v' holds for all below it");
}

TEST_CASE("a route switches the filter off only if that says so") {
  const auto problems = [](const std::string& filter, const std::string& config) {
    World world;
    world.table(
        filter,
        "{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, direct_response: {status: "
        "200}, typed_per_filter_config: {p: {'@type': type.googleapis.com/envoy.config.route.v3.FilterConfig, " +
            config + "}}}]}]}");
    return world.problems();
  };
  says(problems("", "disabled: true"),
       "virtual_hosts[0].routes[0].typed_per_filter_config[\"p\"]: disables the filter: requests may not go round its "
       "rules unless it says may_disable");
  CHECK(problems("may_disable: true", "disabled: true").empty());
  CHECK(problems("", "config: {" + kType + "}").empty());
  World world;
  CHECK_FALSE(world.factory().switchRefusal(nullptr).empty());
}

TEST_CASE("rules that cannot be are refused with their place") {
  const auto of = [](const std::string& rule) { return problems(ofFilter(rules(rule))); };
  says(of("{require: {}}"), "policies.rules[0].name");
  says(of("{name: a}"), "policies.rules[0]");
  says(of("{name: 'a b', require: {}}"), "rules[0].name: stands in logs and stats");
  says(of("{name: default, require: {}}"), "rules[0].name: is the name of the rule that default_action stands for");
  says(of("{name: a, require: {}}, {name: a, deny: {}}"), "rules[1].name: \"a\" is that of another rule here");
  says(of("{name: a, require: {}, status: 200}"), "rules[0].status");
  says(of("{name: a, require: {expression: 'request.'}}"), "rules[0].require.expression");
  says(of("{name: a, when: {expression: '1'}, require: {}}"), "rules[0].when.expression");
  says(of("{name: a, require: {permissions: [{header: {name: x, string_match: {safe_regex: {regex: '('}}}}]}}"),
       "rules[0].require.permissions[0].header");
  says(of("{name: a, require: {principals: [{}]}}"), "rules[0].require.principals[0]");
  says(of("{name: a, require: {claims: [{values: [x]}]}}"), "rules[0].require.claims[0].path");
  says(of("{name: a, require: {groups: ['']}}"), "rules[0].require.groups[0]");
  says(problems(ofFilter("default_may_relax: true")), "default_may_relax: needs default_action: DENY");
}

TEST_CASE("settings of another filter under its name refuse requests") {
  World world;
  const auto factory = world.compile("{}");
  struct Other final : route::PerFilterConfig {};
  Harness h({factory}, {std::make_shared<const Other>()});

  h.request("GET", {}, true);

  CHECK(h.client.status == 500);
  CHECK(h.stream.info().response_code_details == "policy_settings_of_another_filter");
}

// --- routes that change behind it

TEST_CASE("the rules of a route that a filter behind chooses are asked, too") {
  World world;
  const auto table = world.table(
      "",
      "{virtual_hosts: [{name: v, domains: ['*'], routes: [{name: closed, match: {prefix: /closed}, direct_response: "
      "{status: 200}" +
          setting(rules(needs("a"))) + "}, {match: {prefix: /}, direct_response: {status: 200}}]}]}");
  INFO(world.problems());
  REQUIRE(table);
  filter::testing::Script behind{.name = "b"};
  behind.request_headers = [](http::RequestHeaders& headers, filter::Context& context) -> filter::HookResult {
    headers.path = "/closed";
    context.rematchRoute();
    return filter::Next{};
  };
  const auto refusal = [&](const Fields& fields) {
    Harness h({{"p", world.factory_made, 0}, {"b", filter::testing::scripted(behind), 1}}, table);
    h.request("GET", fields, true);
    return h.terminal.heads == 1 ? "" : std::string(h.stream.info().response_code_details);
  };

  CHECK(refusal({}) == "policy_denied[a@route]");
  CHECK(refusal({{"a", ""}}).empty());
}

// Users are in two shares, of which the new one has a rule. The first user is the client's word, the others are found
// in front of the filter and behind it.
struct Shares {
  Shares() {
    const std::string split =
        "{'@type': type.googleapis.com/sluice.route.v1.StickySplit, rollout: s, keys: [{metadata: {filter: "
        "sluice.identity, path: [subject]}}, {header: x-first}], clusters: [{name: old, weight: 1}, {name: new, "
        "weight: 1" +
        setting(rules(needs("a"))) + "}]}";
    table = world.table("",
                        "{virtual_hosts: [{name: v, domains: ['*'], routes: [{match: {prefix: /}, route: "
                        "{inline_cluster_specifier_plugin: {extension: {name: s, typed_config: " +
                            split + "}}}}]}]}");
    INFO(world.problems());
    REQUIRE(table);
  }

  static std::string userOf(bool is_new) {
    for (int i = 0;; ++i) {
      const std::string user = std::to_string(i);
      if ((route::StickySplit::pointOf("s", user) < uint64_t{1} << 63) == is_new) return user;
    }
  }
  static auto finds(bool is_new, bool takes_header = false) {
    return [=, user = userOf(is_new)](http::RequestHeaders& headers, filter::Context& context) -> filter::HookResult {
      context.info().metadata().set(stream::kIdentityMetadata, "subject", {user});
      if (takes_header) headers.remove("a");
      return filter::Next{};
    };
  }

  // "" if it came through.
  std::string refusal(bool first_is_new, const Fields& fields) {
    Harness h({{"f", filter::testing::scripted(front), 1},
               {"p", world.factory_made, 0},
               {"b", filter::testing::scripted(behind), 2}},
              table);
    http::RequestHeaders& request = h.stream.request();
    request.path = "/";
    request.authority = "a.example";
    request.add("x-first", userOf(first_is_new));
    h.stream.setRoute(table->match(request, 0));
    REQUIRE(h.stream.route().clusterName() == (first_is_new ? "new" : "old"));
    h.request("GET", fields, true);
    return h.terminal.heads == 1 ? "" : std::string(h.stream.info().response_code_details);
  }

  World world;
  std::shared_ptr<const route::Table> table;
  filter::testing::Script front{.name = "f"}, behind{.name = "b"};
};

TEST_CASE("the rules of the share that a request goes to are asked, whomever filters took its user for") {
  Shares test;
  test.front.request_headers = Shares::finds(false);
  test.behind.request_headers = Shares::finds(true);

  CHECK(test.refusal(true, {}) == "policy_denied[a@cluster]");
  CHECK(test.refusal(false, {}) == "policy_denied[a@cluster]");
  CHECK(test.refusal(true, {{"a", ""}}).empty());
}

TEST_CASE("the rules of a share are not asked of what filters behind made of the head") {
  Shares test;
  test.front.request_headers = Shares::finds(true);
  test.behind.request_headers = Shares::finds(true, true);

  CHECK(test.refusal(false, {{"a", ""}}).empty());
  CHECK(test.refusal(true, {{"a", ""}}).empty());
  CHECK(test.refusal(false, {}) == "policy_denied[a@cluster]");
}

TEST_CASE("what holds for a route is told rule by rule") {
  World world;
  const auto table = world.table(
      ofFilter(rules(needs("a", ", may_relax: true") + ", {name: b, deny: {}, report_only: true}")),
      tableYaml({.table = "default_action: DENY, default_may_relax: true", .route = "relax: [a, default]"}));
  INFO(world.problems());
  REQUIRE(table);
  base::Arena arena;
  http::RequestHeaders request(arena);
  request.path = "/";
  request.authority = "h";

  CHECK(config::explainSettings(table->match(request, 0), world.chain, world.filter_slots) ==
        "filter 'p'\n"
        "require a@filter (policies.rules[0]), relaxed by route 'r'\n"
        "deny b@filter (policies.rules[1]), report only\n"
        "deny default@table 't' (typed_per_filter_config[\"p\"].default_action), relaxed by route 'r'\n");
}

// --- composition against a reference

// A rule of the reference: about requests with one header, it wants or forbids another.
struct Plain {
  int name, when, what;  // when -1: all requests; what -1: nothing, so that all fulfil it
  bool deny, may_relax, report_only;
};
struct PlainSet {
  std::vector<Plain> rules;
  std::vector<int> relax;  // -1: the default
  bool denies = false, default_may_relax = false;
};

std::string text(const PlainSet& set) {
  const auto condition = [](int header) {
    return header < 0 ? std::string("{}") : "{permissions: [{header: {name: h" + std::to_string(header) + "}}]}";
  };
  std::string out = "rules: [";
  for (const Plain& rule : set.rules) {
    out += "{name: n" + std::to_string(rule.name);
    if (rule.when >= 0) out += ", when: " + condition(rule.when);
    out += std::string(rule.deny ? ", deny: " : ", require: ") + condition(rule.what);
    if (rule.may_relax) out += ", may_relax: true";
    if (rule.report_only) out += ", report_only: true";
    out += "}, ";
  }
  out += "], relax: [";
  for (const int name : set.relax) out += (name < 0 ? "default" : "n" + std::to_string(name)) + ", ";
  out += "]";
  if (set.denies) out += ", default_action: DENY";
  if (set.denies && set.default_may_relax) out += ", default_may_relax: true";
  return out;
}

// Every rule that nobody may do without has to admit the request.
bool admits(const std::vector<PlainSet>& levels, unsigned headers) {
  const auto has = [headers](int header) { return header < 0 || (headers >> header & 1) != 0; };
  for (size_t level = 0; level < levels.size(); ++level) {
    const auto isRelaxed = [&](int name, bool may) {
      bool named = false;
      for (size_t below = level + 1; below < levels.size(); ++below) {
        for (const int other : levels[below].relax) named = named || other == name;
      }
      return may && named;
    };
    bool some_fulfilled = false;
    for (const Plain& rule : levels[level].rules) {
      if (!has(rule.when)) continue;
      const bool holds = has(rule.what) != rule.deny;
      const bool relaxed = isRelaxed(rule.name, rule.may_relax);
      if (!rule.report_only && !relaxed && !holds) return false;
      if (!rule.deny && !rule.report_only) some_fulfilled = true;  // it was fulfilled, or did not have to be
    }
    if (levels[level].denies && !some_fulfilled && !isRelaxed(-1, levels[level].default_may_relax)) return false;
  }
  return true;
}

PlainSet randomSet(std::mt19937& random) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  PlainSet out;
  for (int name = 0; name < 3; ++name) {
    if (below(2) == 0) continue;
    out.rules.push_back({name, below(5) - 1, below(5) - 1, below(3) == 0, below(2) == 0, below(6) == 0});
  }
  for (int name = -1; name < 3; ++name) {
    if (below(4) == 0) out.relax.push_back(name);
  }
  out.denies = below(4) == 0;
  out.default_may_relax = below(2) == 0;
  return out;
}

TEST_CASE("a request is let in if every rule of every level that holds admits it") {
  int allowed = 0, denied = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    std::mt19937 random(seed);
    std::vector<PlainSet> levels(5);
    for (PlainSet& set : levels) set = random() % 3 == 0 ? PlainSet() : randomSet(random);
    levels[0].relax.clear();
    const Sets sets{text(levels[1]), text(levels[2]), text(levels[3]), text(levels[4])};
    World world;
    const auto table = world.table(ofFilter(text(levels[0])), tableYaml(sets), false);
    // The table alone may have said no; what it says no to is tried below.
    if (!table) continue;
    for (unsigned headers = 0; headers < 16; ++headers) {
      Harness h({{"p", world.factory_made, 0}}, table);
      Fields fields;
      for (int i = 0; i < 4; ++i) {
        if (headers >> i & 1) fields.emplace_back("h" + std::to_string(i), "");
      }
      h.request("GET", fields, true);
      const bool expected = admits(levels, headers);
      INFO("seed " << seed << " headers " << headers);
      REQUIRE((h.terminal.heads == 1) == expected);
      ++(expected ? allowed : denied);
    }
  }
  CHECK(allowed > 100);
  CHECK(denied > 100);
}

TEST_CASE("a level that is added takes nothing away from what stands above it without its leave") {
  for (unsigned seed = 1000; seed < 1100; ++seed) {
    std::mt19937 random(seed);
    std::vector<PlainSet> levels(3);
    for (PlainSet& set : levels) {
      set = randomSet(random);
      for (Plain& rule : set.rules) rule.may_relax = false;
      set.default_may_relax = false;
    }
    std::vector<PlainSet> above(levels.begin(), levels.end() - 1);
    const auto setsOf = [](const std::vector<PlainSet>& from) {
      std::vector<PolicySet> out;
      World world;
      for (const PlainSet& set : from) {
        const auto made = world.compileRoute("{" + text(set) + "}");
        REQUIRE(made);
        out.push_back(static_cast<const RouteSettings&>(*made).value);
      }
      return out;
    };
    const auto admitted = [](const std::vector<PolicySet>& sets, unsigned headers) {
      std::vector<std::unique_ptr<RouteSettings>> settings;
      route::PerFilterLevels of_route;
      for (size_t i = 1; i < sets.size(); ++i) {
        of_route.add(settings.emplace_back(std::make_unique<RouteSettings>(sets[i])).get());
      }
      base::Arena arena;
      http::RequestHeaders request(arena);
      for (int i = 0; i < 4; ++i) {
        if (headers >> i & 1) request.add(arena.copy("h" + std::to_string(i)), "");
      }
      filter::rbac::Subject subject;
      subject.data.request = &request;
      return PolicyLevels(sets[0], of_route).firstDenial(subject, [](const Rule&) {}) == nullptr;
    };
    const auto all = setsOf(levels), fewer = setsOf(above);
    for (unsigned headers = 0; headers < 16; ++headers) {
      INFO("seed " << seed << " headers " << headers);
      if (admitted(all, headers)) REQUIRE(admitted(fewer, headers));
    }
  }
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory =
      world.compile("{" + ofFilter(rules(needs("x-a") + ", {name: b, deny: {}, report_only: true}")) + "}");
  REQUIRE(factory);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.request.headers = {{"x-a", "1"}};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::policy
