#include "source/tls/spiffe.h"

#include <catch2/catch.hpp>

#include <string>

#include "source/tls/test_pair.h"

namespace sluice::tls {
namespace {

TEST_CASE("the trust domain of a workload's ID is found") {
  CHECK(trustDomainOf("spiffe://example.org/web") == "example.org");
  CHECK(trustDomainOf("spiffe://a_b-c.1/ns/prod/sa/Web.1_x-y") == "a_b-c.1");
  CHECK(trustDomainOf("spiffe://" + std::string(255, 'a') + "/x") == std::string(255, 'a'));
  CHECK(trustDomainOf("spiffe://a/..x") == "a");
}

TEST_CASE("what is no workload's ID has none") {
  for (const std::string id : {"",
                               "spiffe",
                               "spiffe://",
                               "spiffe:///x",
                               "spiffe://a",
                               "spiffe://a/",
                               "spiffe://a//x",
                               "spiffe://a/x/",
                               "spiffe://a/./x",
                               "spiffe://a/..",
                               "spiffe://A/x",
                               "SPIFFE://a/x",
                               "https://a/x",
                               "spiffe://a:1/x",
                               "spiffe://u@a/x",
                               "spiffe://a/x?y",
                               "spiffe://a/x#y",
                               "spiffe://a/%41",
                               "spiffe://a/x y",
                               "spiffe://a%2eb/x",
                               "spiffe:/a/x",
                               "spiffe://a\\x"}) {
    INFO(id);
    CHECK(trustDomainOf(id).empty());
  }
  CHECK(trustDomainOf("spiffe://" + std::string(256, 'a') + "/x").empty());
  CHECK(trustDomainOf("spiffe://a/" + std::string(2048, 'a')).empty());
}

TEST_CASE("a name of a trust domain is no ID") {
  CHECK(isTrustDomain("example.org"));
  for (const char* name : {"", "Example.org", "spiffe://a", "a/b", "a b", "*.a", "a:1"})
    CHECK_FALSE(isTrustDomain(name));
}

// Two trust domains; the server takes workloads of both.
struct SpiffeWorld : TestWorld {
  explicit SpiffeWorld(const test::CertificateOptions& client) : SpiffeWorld() { show(one.issue(client)); }
  SpiffeWorld() {
    server_config.require_client_certificate = true;
    rules().trust_domains = {{"one", one.pem(), "one.pem"}, {"two", two.pem(), "two.pem"}};
  }
  ValidationConfig& rules() {
    auto& validation = server_config.common.validation;
    return validation ? *validation : validation.emplace();
  }
  void show(const test::TestCertificate& certificate) {
    client_config.common.certificates = {certificateConfig(certificate)};
  }
  // Why the client is refused; empty: it is not.
  std::string refusal() {
    TestPair pair(*this);
    pair.shake();
    if (!pair.up()) {
      CHECK(serverCount("fail_verify_error") + serverCount("fail_verify_san") == 1);
      return std::string(pair.server->failure());
    }
    CHECK(pair.server->info().peer_validated);
    return "";
  }

  test::TestAuthority one{"one"}, two{"two"};
};

std::string refusalOf(const test::CertificateOptions& client) {
  return SpiffeWorld(client).refusal();
}

TEST_CASE("a workload of each trust domain is let in by that domain's bundle alone") {
  SpiffeWorld own({.uri_sans = {"spiffe://one/web"}});
  CHECK(own.refusal().empty());
  SpiffeWorld other;
  other.show(other.two.issue({.uri_sans = {"spiffe://two/web"}}));
  CHECK(other.refusal().empty());

  SpiffeWorld crossed;
  crossed.show(crossed.one.issue({.uri_sans = {"spiffe://two/web"}}));
  CHECK_THAT(crossed.refusal(), Catch::Contains("unable to get local issuer certificate"));
  CHECK_THAT(refusalOf({.uri_sans = {"spiffe://three/web"}}), Catch::Contains("'three'"));
}

TEST_CASE("a certificate that is not one workload's is refused with the reason") {
  CHECK_THAT(refusalOf({.dns_sans = {"one"}}), Catch::Contains("it has 0 URI names"));
  CHECK_THAT(refusalOf({.uri_sans = {"spiffe://one/a", "spiffe://one/b"}}), Catch::Contains("it has 2 URI names"));
  CHECK_THAT(refusalOf({.uri_sans = {"spiffe://one/a", "https://x\n"}}), Catch::Contains("it has 2 URI names"));
  CHECK_THAT(refusalOf({.uri_sans = {"https://one/a"}}), Catch::Contains("no SPIFFE ID"));
  CHECK_THAT(refusalOf({.uri_sans = {"spiffe://one"}}), Catch::Contains("no SPIFFE ID"));
  CHECK_THAT(
      refusalOf({.uri_sans = {"spiffe://one/a"}, .key_usage = "digitalSignature,keyCertSign", .authority = true}),
      Catch::Contains("of an authority"));
  CHECK_THAT(refusalOf({.uri_sans = {"spiffe://one/a"}, .key_usage = "digitalSignature,keyCertSign"}),
             Catch::Contains("may sign certificates"));
}

TEST_CASE("what else is asked of a certificate is asked of a workload's") {
  using Usage = test::CertificateOptions::Usage;
  const test::CertificateOptions old{.uri_sans = {"spiffe://one/a"}, .valid_from = -7200, .valid_to = -3600};
  CHECK_THAT(refusalOf(old), Catch::Contains("expired"));
  CHECK_FALSE(refusalOf({.uri_sans = {"spiffe://one/a"}, .usage = Usage::kServer}).empty());

  SpiffeWorld lenient(old);
  lenient.rules().allow_expired_certificate = true;
  CHECK(lenient.refusal().empty());

  SpiffeWorld named({.uri_sans = {"spiffe://one/a"}});
  SanMatcher matcher;
  matcher.type = SanMatcher::Type::kUri;
  matcher.exact = "spiffe://one/b";
  named.rules().san_matchers = {matcher};
  CHECK_THAT(named.refusal(), Catch::Contains("no subject alternative name matches"));

  SpiffeWorld chained;
  test::TestAuthority middle("middle", chained.one);
  test::TestCertificate leaf = middle.issue({.uri_sans = {"spiffe://one/a"}});
  leaf.chain_pem += middle.pem();
  chained.show(leaf);
  CHECK(chained.refusal().empty());
}

TEST_CASE("a bundle that holds no authorities is refused") {
  SpiffeWorld world;
  const auto problem = [&world](const std::string& pem) {
    world.rules().trust_domains = {{"one", pem, "one.pem"}};
    const auto made = ServerContext::create(world.server_config);
    return made.ok() ? "" : std::string(made.status().message());
  };
  CHECK_THAT(problem(""), Catch::Contains("one.pem"));
  CHECK_THAT(problem("x"), Catch::Contains("no PEM certificate"));
  CHECK_THAT(problem(world.one.pem() + world.one.issue({}).chain_pem),
             Catch::Contains("certificate 2") && Catch::Contains("no authority"));
}

}  // namespace
}  // namespace sluice::tls
