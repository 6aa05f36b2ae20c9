#include "source/filter/rbac/rules.h"

#include <catch2/catch.hpp>

#include "source/filter/rbac/engine.h"
#include "source/stream/attributes.h"

namespace sluice::filter::rbac {
namespace {

struct Who {
  net::Address remote = *net::Address::parse("10.1.2.3:4000");
  net::Address direct = *net::Address::parse("192.168.0.9:5000");
  net::Address local = *net::Address::parse("10.0.0.1:443");
  std::string server_name = "db.example";
  net::TlsInfo tls;
  bool secure = false;

  Subject subject() const {
    Subject out;
    out.data.remote = &remote;
    out.data.direct_remote = &direct;
    out.data.local = &local;
    out.data.server_name = server_name;
    out.path = "/a/b";
    out.tls = secure ? &tls : nullptr;
    return out;
  }
};

Rule any() {
  return {};
}
Rule range(Rule::Kind kind, const char* address, unsigned length) {
  Rule rule;
  rule.kind = kind;
  rule.what = *net::Cidr::make(address, length);
  return rule;
}
match::StringMatcher exactly(const std::string& text) {
  match::StringMatcher out;
  out.text = text;
  return out;
}
Rule text(Rule::Kind kind, const std::string& exact) {
  Rule rule;
  rule.kind = kind;
  rule.what = exactly(exact);
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
  rule.what = Ports{first, last};
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

TEST_CASE("a name of a certificate counts by its type") {
  Who who;
  Rule name;
  name.kind = Kind::kName;
  name.what = AlternativeName{&net::TlsInfo::Certificate::dns_sans, "", exactly("a.example")};
  who.tls.peer.uri_sans = {"a.example"};
  who.tls.peer_validated = who.secure = true;
  CHECK(!name.matches(who.subject()));
  who.tls.peer.dns_sans = {"a.example"};
  CHECK(name.matches(who.subject()));
  who.tls.peer_validated = false;
  CHECK(!name.matches(who.subject()));
}

TEST_CASE("another name of a certificate counts by the identifier of its type") {
  Who who;
  Rule name;
  name.kind = Kind::kName;
  name.what = AlternativeName{&net::TlsInfo::Certificate::other_sans, "1.2.3", exactly("ali")};
  who.tls.peer_validated = who.secure = true;
  who.tls.peer.other_sans = {"ali", "bob"};
  who.tls.peer.other_san_oids = {"1.2.4", "1.2.3"};
  CHECK(!name.matches(who.subject()));
  who.tls.peer.other_san_oids = {"1.2.3", "1.2.4"};
  CHECK(name.matches(who.subject()));
}

TEST_CASE("of a connection the source is its client, of a request without more the socket's peer") {
  const Who who;
  CHECK(range(Kind::kSource, "10.1.0.0", 16).matches(who.subject()));
  CHECK(!range(Kind::kSource, "192.168.0.0", 16).matches(who.subject()));

  stream::StreamInfo info;
  info.downstream_direct_remote_address = "192.168.0.9:5000";
  Subject request = who.subject();
  request.data.info = &info;

  CHECK(!range(Kind::kSource, "10.1.0.0", 16).matches(request));
  CHECK(range(Kind::kSource, "192.168.0.0", 16).matches(request));
}

TEST_CASE("where a request is going is what a filter has kept of it") {
  const Who who;
  stream::StreamInfo info;
  Subject subject = who.subject();
  subject.data.info = &info;
  Rule rule;
  rule.kind = Kind::kUpstream;
  rule.what = UpstreamAddress{net::Cidr::make("10.0.0.0", 8), Ports{80, 443}};
  CHECK(!rule.matches(subject));

  const auto goingTo = [&](const char* address) {
    info.filterState().set(kUpstreamAddress, std::string_view(address));
    return rule.matches(subject);
  };
  CHECK(goingTo("10.1.2.3:443"));
  CHECK(!goingTo("10.1.2.3:444"));
  CHECK(!goingTo("11.1.2.3:443"));
  CHECK(!goingTo("nowhere"));
  rule.what = UpstreamAddress{std::nullopt, Ports{80, 80}};
  CHECK(goingTo("11.1.2.3:80"));
  subject.upstream = "11.1.2.3:81";  // the attempt's host, whatever was kept
  CHECK(!rule.matches(subject));
}

TEST_CASE("the path is that of the subject, whatever the head says") {
  const Who who;
  CHECK(text(Kind::kPath, "/a/b").matches(who.subject()));
  CHECK(!text(Kind::kPath, "/a").matches(who.subject()));
}

// Asks policies "no", which nothing matches, and "yes".
Decision decide(Action action, bool with_yes) {
  const Who who;
  Rules rules;
  rules.action = action;
  rules.policies = {{"no", {ports(80, 80)}, {any()}}, {"half", {any()}, {ports(80, 80)}}};
  if (with_yes) rules.policies.push_back({"yes", {ports(443, 443)}, {range(Kind::kRemote, "10.0.0.0", 8)}});
  return Engine(std::move(rules)).decide(who.subject());
}

TEST_CASE("a policy needs a permission and a principal, and the action says what it means") {
  CHECK(decide(Action::kAllow, true).allowed);
  CHECK(decide(Action::kAllow, true).policy == 2);
  CHECK(!decide(Action::kAllow, false).allowed);
  CHECK(decide(Action::kAllow, false).policy == Decision::kNone);
  CHECK(!decide(Action::kDeny, true).allowed);
  CHECK(decide(Action::kDeny, false).allowed);
  CHECK(!decide(Action::kDeny, false).log_hint);
  const Who who;
  CHECK(!Engine(Rules()).decide(who.subject()).allowed);  // allow rules without a policy let nobody in
}

TEST_CASE("LOG lets all in, and says what is to be logged") {
  CHECK(decide(Action::kLog, true).allowed);
  CHECK(decide(Action::kLog, true).log_hint == true);
  CHECK(decide(Action::kLog, false).allowed);
  CHECK(decide(Action::kLog, false).log_hint == false);
}

TEST_CASE("what a tree does not match is denied, and not to be logged") {
  const Who who;
  const auto decide = [&](bool matches, std::vector<Outcome> outcomes) {
    auto tree = std::make_shared<match::Matcher>();
    if (matches) tree->on_no_match = match::OnMatch{};
    return Engine(tree, std::move(outcomes)).decide(who.subject());
  };
  CHECK(decide(true, {{"a", Action::kAllow}}).allowed);
  CHECK(decide(true, {{"a", Action::kAllow}}).policy == 0);
  CHECK(!decide(true, {{"a", Action::kDeny}}).allowed);
  CHECK(decide(true, {{"a", Action::kLog}}).allowed);
  CHECK(decide(true, {{"a", Action::kLog}}).log_hint == true);
  CHECK(!decide(false, {{"a", Action::kAllow}}).allowed);
  CHECK(decide(false, {{"a", Action::kAllow}}).policy == Decision::kNone);
  CHECK(!decide(false, {{"a", Action::kAllow}}).log_hint);
  CHECK(decide(false, {{"a", Action::kLog}}).log_hint == false);
}

TEST_CASE("a condition does not hold where nothing is known of a request") {
  const Who who;
  Policy policy{"p", {any()}, {any()}};
  CHECK(policy.matches(who.subject()));
  policy.condition = *match::cel::Program::compile("true", stream::attributeNames());
  CHECK(!policy.matches(who.subject()));
  CHECK(policy.judge(who.subject()) == Verdict::kUnknown);
}

TEST_CASE("a condition that cannot be evaluated is told from one that does not hold") {
  base::Arena arena;
  http::RequestHeaders request(arena);
  stream::StreamInfo info;
  Subject subject;
  subject.data.request = &request;
  subject.data.info = &info;
  const auto judge = [&](const char* text) {
    Policy policy{"p", {any()}, {any()}};
    policy.condition = *match::cel::Program::compile(text, stream::attributeNames());
    return policy.judge(subject);
  };

  CHECK(judge("!('x' in request.headers)") == Verdict::kYes);
  CHECK(judge("'x' in request.headers") == Verdict::kNo);
  CHECK(judge("request.headers['x'] == 'y'") == Verdict::kUnknown);
  CHECK(judge("request.headers['x']") == Verdict::kUnknown);
}

TEST_CASE("details name the policy that denied, without spaces") {
  Rules rules;
  rules.action = Action::kDeny;
  rules.policies = {{"my\tbad policy", {any()}, {any()}}};
  const Engine engine(std::move(rules));
  CHECK(engine.details({false, 0}) == "rbac_access_denied_matched_policy[my_bad_policy]");
  CHECK(engine.nameOf({false, 0}) == "my\tbad policy");
  CHECK(engine.details({false}) == "rbac_access_denied_matched_policy[none]");
  CHECK(engine.nameOf({false}).empty());
}

}  // namespace
}  // namespace sluice::filter::rbac
