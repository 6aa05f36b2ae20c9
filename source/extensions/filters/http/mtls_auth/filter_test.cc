#include "source/extensions/filters/http/mtls_auth/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/extensions/filters/http/mtls_auth/v1/mtls_auth.pb.h"
#include "source/extensions/filters/http/mtls_auth/factory.h"
#include "source/route/test_request.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::mtls_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::mtls_auth::v1;
using filter::testing::Fields;
using filter::testing::Harness;

const std::string kHash = "6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0";
const std::string kConsumers = R"(consumers:
- name: one
  certificates:
  - san: {uri: "spiffe://a/one"}
  - san: {dns: One.Example}
  - subject: "CN=one,O=A"
  groups: [staff]
  plan: {tier: gold}
- name: two
  certificates: [{san: {email: two@a.example}}, {sha256: )" +
                               kHash + R"(}]
- name: guest
)";

struct World : filter::testing::FilterWorld<v1::MtlsAuth, v1::MtlsAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.mtls_auth.") {}

  auto compile(const std::string& consumers, const std::string& more = "") {
    return FilterWorld::compile("{consumers: {filename: " + folder.write("c.yaml", consumers) + "}" + more + "}");
  }

  const test::ScratchFolder folder;
};

net::TlsInfo clientOf(const std::string& uri, const std::string& dns = "", const std::string& subject = "") {
  net::TlsInfo out;
  out.peer_presented = out.peer_validated = true;
  if (!uri.empty()) out.peer.uri_sans = {uri};
  if (!dns.empty()) out.peer.dns_sans = {dns};
  out.peer.subject = subject;
  out.peer.sha256 = std::string(64, '0');
  return out;
}

net::TlsInfo clientOfHash(bool validated) {
  net::TlsInfo out = clientOf("", "", "CN=hashed");
  out.peer.sha256 = kHash;
  out.peer_validated = validated;
  return out;
}

// One request of a connection through a filter.
struct Asked {
  explicit Asked(const std::string& more = "", const std::string& route_yaml = "") {
    factory = world.compile(kConsumers, more);
    const auto route = route_yaml.empty() ? nullptr : world.compileRoute("{" + route_yaml + "}");
    INFO(world.problems());
    REQUIRE(world.errors.empty());
    h.emplace(std::vector{factory}, std::vector{route});
  }
  // "" if it came through.
  std::string refusal(const net::TlsInfo& tls, const Fields& fields = {}) {
    transport.told = tls;
    h->stream.info().downstream_transport = &transport;
    return refusalOfPlain(fields);
  }
  std::string refusalOfPlain(const Fields& fields = {}) {
    h->request("GET", fields, true);
    if (h->terminal.heads == 1) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  std::string text(const std::vector<std::string>& path) {
    const auto* value = h->stream.info().metadata().find(stream::kIdentityMetadata, path);
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  route::TestTls transport;
  std::optional<Harness> h;
};

std::string refusal(const net::TlsInfo& tls, const std::string& more = "", const std::string& route = "") {
  return Asked(more, route).refusal(tls);
}

TEST_CASE("a request goes on as the consumer's whose certificate its connection has shown") {
  Asked asked;

  CHECK(asked.refusal(clientOf("spiffe://a/one", "", "CN=x")).empty());

  CHECK(asked.text({"method"}) == "mtls");
  CHECK(asked.text({"subject"}) == "spiffe://a/one");
  CHECK(asked.text({"consumer"}) == "one");
  CHECK(asked.text({"claims", "plan", "tier"}) == "gold");
  CHECK(asked.counted("allowed") == 1);
}

TEST_CASE("a certificate is known by any one of its names, or by its hash") {
  const auto subject = [](const net::TlsInfo& tls) {
    Asked asked;
    CHECK(asked.refusal(tls).empty());
    return asked.text({"consumer"}) + " " + asked.text({"subject"});
  };
  net::TlsInfo mail = clientOf("spiffe://a/other", "", "CN=x");
  mail.peer.email_sans = {"two@a.example"};
  CHECK(subject(clientOf("", "ONE.example")) == "one ONE.example");
  CHECK(subject(clientOf("", "x.example", "CN=one,O=A")) == "one CN=one,O=A");
  CHECK(subject(clientOf("spiffe://a/one", "one.example", "CN=one,O=A")) == "one spiffe://a/one");
  CHECK(subject(mail) == "two two@a.example");
  CHECK(subject(clientOfHash(true)) == "two CN=hashed");
  net::TlsInfo both = clientOfHash(true);
  both.peer.uri_sans = {"spiffe://a/one"};
  CHECK(subject(both) == "two spiffe://a/one");
}

TEST_CASE("names match as a whole, and each as what it is") {
  CHECK(refusal(clientOf("spiffe://a/one/x")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("spiffe://a/ONE")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("", "*.example")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("", "spiffe://a/one")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("one.example")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("", "", "CN=one")) == "401 unknown_certificate");
  CHECK(refusal(clientOf("", "", "O=A,CN=one")) == "401 unknown_certificate");
}

TEST_CASE("names of several consumers say nothing") {
  net::TlsInfo tls = clientOf("spiffe://a/one");
  tls.peer.email_sans = {"two@a.example"};
  CHECK(refusal(tls) == "401 ambiguous_certificate");
}

TEST_CASE("what TLS has not verified counts by its hash only, and only if that is wanted") {
  net::TlsInfo named = clientOf("spiffe://a/one");
  named.peer_validated = false;
  const std::string accept = ", accept_unverified_hashes: true";
  CHECK(refusal(named) == "401 unverified_certificate");
  CHECK(refusal(clientOfHash(false)) == "401 unverified_certificate");
  CHECK(refusal(named, accept) == "401 unverified_certificate");
  CHECK(refusal(clientOfHash(false), accept).empty());
  CHECK(refusal(named, accept + ", anonymous: guest") == "401 unverified_certificate");
}

TEST_CASE("a connection without a certificate is refused, or somebody's") {
  const std::string guest = ", anonymous: guest, forward_header: x-consumer";
  Asked none, plain, somebody(guest);

  CHECK(none.refusal(net::TlsInfo()) == "401 missing_certificate");
  CHECK(plain.refusalOfPlain() == "401 missing_certificate");
  CHECK(somebody.refusalOfPlain({{"x-consumer", "one"}, {"x_consumer", "one"}}).empty());

  CHECK(none.counted("unauthorized") == 1);
  CHECK(somebody.text({"consumer"}) == "guest");
  CHECK(somebody.h->terminal.headers == Fields{{"x-consumer", "guest"}});
  CHECK(somebody.counted("anonymous") == 1);
  CHECK(refusal(clientOf("spiffe://a/nobody"), guest) == "401 unknown_certificate");
}

TEST_CASE("a route may be for some groups") {
  CHECK(refusal(clientOf("spiffe://a/one"), "", "allowed_groups: [staff]").empty());
  CHECK(refusal(clientOfHash(true), "", "allowed_groups: [staff]") == "403 consumer_not_allowed");
  CHECK(refusal(clientOf("spiffe://a/one"), "", "denied_groups: [staff]") == "403 consumer_not_allowed");
}

TEST_CASE("a certificate is looked for once a connection, and among each filter's own consumers") {
  Asked first, second;
  CHECK(first.refusal(clientOf("spiffe://a/one")).empty());
  const auto* const found = first.transport.told.finding.get();
  REQUIRE(found != nullptr);

  Harness again({first.factory});
  again.stream.info().downstream_transport = &first.transport;
  again.request("GET", {}, true);
  CHECK(again.terminal.heads == 1);
  CHECK(first.transport.told.finding.get() == found);
  CHECK(second.refusal(first.transport.told).empty());
  CHECK(second.transport.told.finding.get() != found);
}

TEST_CASE("a wrong file is refused with the place in it") {
  const auto problems = [](const std::string& certificate) {
    World world;
    CHECK_FALSE(world.compile("consumers:\n- name: a\n  certificates:\n  - " + certificate));
    return world.problems();
  };
  CHECK_THAT(problems("{sha256: sesame}"),
             Catch::Contains("consumers[0].certificates[0].sha256: is no SHA-256") && Catch::Contains("c.yaml:4"));
  CHECK_THAT(problems("{}"), Catch::Contains("certificates[0]"));
  CHECK_THAT(problems("{san: {}}"), Catch::Contains("certificates[0].san"));
  CHECK_THAT(problems("{subject: ''}"), Catch::Contains("subject"));
  CHECK_THAT(problems("{san: {ip: 1.2.3.4}}"), Catch::Contains("ip"));
  CHECK_THAT(problems("{san: {dns: A.b}}\n  - {san: {dns: a.B}}"),
             Catch::Contains("certificates[1]: stands elsewhere"));
  CHECK_THAT(problems("{subject: a, sha256: " + kHash + "}"), Catch::Contains("certificates[0]"));
}

TEST_CASE("a wrong configuration is refused") {
  World world;
  CHECK_FALSE(world.compile(kConsumers, ", forward_header: host"));
  CHECK_THAT(world.problems(), Catch::Contains("forward_header"));
  World without;
  CHECK_FALSE(without.FilterWorld::compile("{anonymous: x}"));
  CHECK_THAT(without.problems(), Catch::Contains("consumers"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kConsumers, ", anonymous: guest, forward_header: x-consumer");
  REQUIRE(factory);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.max_runs = 10000;

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::mtls_auth
