#include "source/filter/rbac/rules.h"

#include <catch2/catch.hpp>

namespace sluice::filter::rbac {
namespace {

struct Who {
  net::Address remote = *net::Address::parse("10.1.2.3:4000");
  net::Address direct = *net::Address::parse("192.168.0.9:5000");
  net::Address local = *net::Address::parse("10.0.0.1:443");
  std::string server_name = "db.example";
  net::TlsInfo tls;
  bool secure = false;
  Subject subject() const { return {remote, direct, local, server_name, secure ? &tls : nullptr}; }
};

Rule any() {
  return {};
}
Rule range(Rule::Kind kind, const char* address, unsigned length) {
  Rule rule;
  rule.kind = kind;
  rule.range = {*net::Cidr::make(address, length)};
  return rule;
}
Rule text(Rule::Kind kind, const std::string& exact) {
  Rule rule;
  rule.kind = kind;
  rule.text.text = exact;
  return rule;
}
Rule of(Rule::Kind kind, std::vector<Rule> rules) {
  Rule rule;
  rule.kind = kind;
  rule.rules = std::move(rules);
  return rule;
}
Rule ports(uint32_t first, uint32_t last) {
  Rule rule;
  rule.kind = Rule::Kind::kLocalPort;
  rule.first_port = first;
  rule.last_port = last;
  return rule;
}
using Kind = Rule::Kind;

TEST_CASE("addresses are compared each with its own range") {
  const Who who;
  CHECK(range(Kind::kRemote, "10.1.0.0", 16).matches(who.subject()));
  CHECK(!range(Kind::kRemote, "192.168.0.0", 16).matches(who.subject()));
  CHECK(range(Kind::kDirectRemote, "192.168.0.0", 16).matches(who.subject()));
  CHECK(!range(Kind::kDirectRemote, "10.0.0.0", 8).matches(who.subject()));
  CHECK(range(Kind::kLocal, "10.0.0.1", 32).matches(who.subject()));
  CHECK(!range(Kind::kRemote, "::", 0).matches(who.subject()));
}

TEST_CASE("ports and names of the destination match") {
  const Who who;
  CHECK(ports(443, 443).matches(who.subject()));
  CHECK(ports(400, 500).matches(who.subject()));
  CHECK(!ports(444, 500).matches(who.subject()));
  CHECK(text(Kind::kServerName, "db.example").matches(who.subject()));
  CHECK(!text(Kind::kServerName, "example").matches(who.subject()));
}

TEST_CASE("rules combine") {
  const Who who;
  CHECK(of(Kind::kAll, {any(), ports(443, 443)}).matches(who.subject()));
  CHECK(!of(Kind::kAll, {any(), ports(80, 80)}).matches(who.subject()));
  CHECK(of(Kind::kSome, {ports(80, 80), any()}).matches(who.subject()));
  CHECK(!of(Kind::kSome, {ports(80, 80)}).matches(who.subject()));
  CHECK(of(Kind::kNot, {ports(80, 80)}).matches(who.subject()));
  CHECK(!of(Kind::kNot, {any()}).matches(who.subject()));
}

TEST_CASE("a principal is a name in a verified certificate, and nothing else") {
  Who who;
  const Rule spiffe = text(Kind::kPrincipal, "spiffe://a/b"), subject = text(Kind::kPrincipal, "CN=client");
  Rule authenticated;
  authenticated.kind = Kind::kAuthenticated;
  who.tls.peer.uri_sans = {"spiffe://x", "spiffe://a/b"};
  who.tls.peer.subject = "CN=client";
  CHECK(!spiffe.matches(who.subject()));
  CHECK(!authenticated.matches(who.subject()));

  who.secure = true;
  CHECK(!spiffe.matches(who.subject()));
  CHECK(!authenticated.matches(who.subject()));
  who.tls.peer_validated = true;

  CHECK(spiffe.matches(who.subject()));
  CHECK(subject.matches(who.subject()));
  CHECK(authenticated.matches(who.subject()));
  CHECK(!text(Kind::kPrincipal, "spiffe://a").matches(who.subject()));
}

TEST_CASE("a policy needs a permission and a principal, and the action says what it means") {
  const Who who;
  const auto subject = [](const Who& who) { return who.subject(); };
  Rules rules;
  CHECK(!rules.decide(subject(who)).allowed);  // allow rules without a policy let nobody in

  rules.policies = {{"no", {ports(80, 80)}, {any()}},
                    {"yes", {ports(443, 443)}, {range(Kind::kRemote, "10.0.0.0", 8)}}};
  CHECK(rules.decide(subject(who)).allowed);
  CHECK(rules.decide(subject(who)).policy->name == "yes");

  rules.allow = false;
  CHECK(!rules.decide(subject(who)).allowed);
  rules.policies.pop_back();
  CHECK(rules.decide(subject(who)).allowed);
  CHECK(rules.decide(subject(who)).policy == nullptr);
}

}  // namespace
}  // namespace sluice::filter::rbac
