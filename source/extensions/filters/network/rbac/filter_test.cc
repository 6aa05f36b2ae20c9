#include "source/extensions/filters/network/rbac/filter.h"

#include <catch2/catch.hpp>

#include "source/filter/test_network.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::rbac {
namespace {

filter::rbac::Rules from(const char* address, bool allow) {
  filter::rbac::Rule who;
  who.kind = filter::rbac::Rule::Kind::kRemote;
  who.range = {*net::Cidr::make(address, 8)};
  filter::rbac::Rules rules;
  rules.allow = allow;
  rules.policies = {{"the office", {{}}, {who}}};
  return rules;
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
  t.settings.rules = from("11.0.0.0", true);
  const Rbac rbac(t.settings);

  const std::optional<filter::Close> refusal = t.refusal(rbac);

  REQUIRE(refusal);
  CHECK(refusal->details == "rbac_access_denied_matched_policy[none]");
  CHECK(refusal->delay == 250ms);
  CHECK(t.stat("denied") == 1);
}

TEST_CASE("a refusal names the policy that denied it") {
  RbacTest t;
  t.settings.rules = from("10.0.0.0", false);
  const Rbac rbac(t.settings);

  CHECK(t.refusal(rbac).value().details == "rbac_access_denied_matched_policy[the_office]");
}

TEST_CASE("shadow rules count and close nothing") {
  RbacTest t;
  t.settings.shadow_rules = from("10.0.0.0", false);
  const Rbac rbac(t.settings);

  CHECK(!t.refusal(rbac));
  CHECK(t.stat("shadow_denied") == 1);
  CHECK(t.stat("allowed") == 0);
}

}  // namespace
}  // namespace sluice::extensions::network_filters::rbac
