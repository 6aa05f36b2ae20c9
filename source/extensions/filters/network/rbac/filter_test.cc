#include "source/extensions/filters/network/rbac/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/rbac/v3/rbac.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/rbac/factory.h"
#include "source/filter/test_network.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::rbac {
namespace {

using filter::rbac::Action;
using filter::rbac::Engine;

std::shared_ptr<const Engine> from(const char* address, Action action) {
  filter::rbac::Rule who;
  who.kind = filter::rbac::Rule::Kind::kRemote;
  who.what = *net::Cidr::make(address, 8);
  filter::rbac::Rules rules;
  rules.action = action;
  rules.policies = {{"the office", {{}}, {who}}};
  return std::make_shared<Engine>(std::move(rules));
}

struct RbacTest : filter::TestNetwork {
  RbacTest() {
    facts.remote = facts.direct_remote = *net::Address::parse("10.1.2.3:4567");
    settings.delay = 250ms;
    settings.stats = {registry.counter("allowed"), registry.counter("denied"), registry.counter("shadow_allowed"),
                      registry.counter("shadow_denied")};
  }
  Settings settings;
};

TEST_CASE("a connection that no policy allows is closed, after the delay") {
  RbacTest t;
  t.settings.rules = from("11.0.0.0", Action::kAllow);
  const Rbac rbac(t.settings);

  const std::optional<filter::Close> refusal = t.refusal(rbac);

  REQUIRE(refusal);
  CHECK(refusal->details == "rbac_access_denied_matched_policy[none]");
  CHECK(refusal->delay == 250ms);
  CHECK(t.stat("denied") == 1);
}

TEST_CASE("a refusal names the policy that denied it") {
  RbacTest t;
  t.settings.rules = from("10.0.0.0", Action::kDeny);
  const Rbac rbac(t.settings);

  CHECK(t.refusal(rbac).value().details == "rbac_access_denied_matched_policy[the_office]");
}

TEST_CASE("shadow rules count and close nothing") {
  RbacTest t;
  t.settings.shadow = from("10.0.0.0", Action::kDeny);
  const Rbac rbac(t.settings);

  CHECK(!t.refusal(rbac));
  CHECK(t.stat("shadow_denied") == 1);
  CHECK(t.stat("allowed") == 0);
}

// What a configuration is refused for.
std::string problems(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::network::rbac::v3::RBAC proto;
  if (world.load("{stat_prefix: a, " + yaml + "}", proto)) {
    world.registry.connection_filters.find(proto.GetDescriptor()->full_name())->compile(proto, world.context());
  }
  return world.problems();
}

TEST_CASE("what only requests have is refused by the name of its field") {
  const auto rules = [](const std::string& permission, const std::string& principal) {
    return "rules: {policies: {p: {permissions: [" + permission + "], principals: [" + principal + "]}}}";
  };
  const std::string any = "{any: true}";
  CHECK(problems(rules(any, "{source_ip: {address_prefix: 10.0.0.0, prefix_len: 8}}")) == "");
  for (const std::string field : {"header: {name: a}", "url_path: {path: {exact: /a}}"}) {
    CAPTURE(field);
    const std::string name = field.substr(0, field.find(':'));
    const std::string why = name + ": looks at the head of a request, which a network filter does not have";
    CHECK_THAT(problems(rules("{" + field + "}", any)), Catch::Contains("permissions[0]." + why));
    CHECK_THAT(problems(rules(any, "{not_id: {" + field + "}}")), Catch::Contains("principals[0].not_id." + why));
  }
  const std::string state = "{filter_state: {key: a, string_match: {exact: b}}}";
  CHECK_THAT(problems(rules(any, state)), Catch::Contains("filter_state: looks at what is known of a request"));
  CHECK_THAT(problems("rules: {action: LOG}"), Catch::Contains("action: looks at what is known of a request"));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::rbac
