#include "source/tls/context.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "source/tls/certificate.h"
#include "source/tls/test_pair.h"

namespace sluice::tls {
namespace {

using Key = test::CertificateOptions::Key;

TEST_CASE("what is wrong with a server's configuration is told by place and reason") {
  struct Case {
    std::function<void(TestWorld&)> change;
    const char* message;
  };
  const auto certificate = [](TestWorld& w) -> CertificateConfig& { return w.server_config.common.certificates[0]; };
  const std::vector<Case> cases = {
      {[&](TestWorld& w) { certificate(w).key_pem = w.authority.issue({}).key_pem; },
       "tls_certificate 'test': private_key: it is not the key of the certificate 'CN=test'"},
      {[&](TestWorld& w) { certificate(w).chain_pem.resize(200); },
       "tls_certificate 'test': certificate_chain: the PEM certificate cannot be read (cut off or half written?)"},
      {[&](TestWorld& w) { certificate(w).chain_pem += w.authority.pem().substr(0, 300); },
       "certificate 2 of the PEM text cannot be read"},
      {[&](TestWorld& w) { certificate(w).chain_pem += "-----BEGIN CERT"; }, "certificate 2 of the PEM text"},
      {[&](TestWorld& w) { certificate(w).chain_pem.clear(); }, "no PEM certificate in it"},
      {[&](TestWorld& w) { certificate(w).key_pem.resize(60); }, "the PEM private key cannot be read"},
      {[&](TestWorld& w) { certificate(w).key_pem.clear(); }, "no PEM private key in it"},
      {[&](TestWorld& w) { w.server_config.common.certificates.clear(); }, "a server needs at least one certificate"},
      {[&](TestWorld& w) {
         w.server_config.common.cipher_suites = {"ECDHE-RSA-AES128-GCM-SHA256", "NO-SUCH"};
       },
       "unknown cipher suite 'NO-SUCH'"},
      {[&](TestWorld& w) { w.server_config.common.cipher_suites = {"[TLS_AES_128_GCM_SHA256]"}; },
       "'TLS_AES_128_GCM_SHA256' is a TLS 1.3 suite"},
      {[&](TestWorld& w) {
         w.server_config.common.curves = {"X25519", "P-257"};
       },
       "unknown curve 'P-257'"},
      {[&](TestWorld& w) {
         w.server_config.common.curves = {"X25519MLKEM768", "X25519"};
       },
       "tls_params.ecdh_curves: the TLS library has no 'X25519MLKEM768'; known are X25519"},
      {[&](TestWorld& w) {
         w.server_config.common.min_version = Version::kTls13;
         w.server_config.common.max_version = Version::kTls12;
       },
       "tls_minimum_protocol_version is above"},
      {[&](TestWorld& w) { w.server_config.session_ticket_keys = {std::string(79, 'k')}; }, "key 1 has 79 bytes"},
      {[&](TestWorld& w) {
         w.server_config.common.alpn = {"h2", ""};
       },
       "alpn_protocols"},
      {[&](TestWorld& w) { w.server_config.common.validation.emplace().trusted_ca_pem = "nonsense"; },
       "validation_context.trusted_ca"},
      {[&](TestWorld& w) { w.server_config.common.validation.emplace().san_matchers.emplace_back(); },
       "match_typed_subject_alt_names without trusted_ca"},
      {[&](TestWorld& w) { w.server_config.common.validation.emplace().certificate_hashes = {"abc"}; },
       "verify_certificate_hash: 'abc'"},
      {[&](TestWorld& w) { w.server_config.common.validation.emplace().spki_hashes = {"abc"}; },
       "verify_certificate_spki: 'abc'"},
      {[&](TestWorld& w) {
         w.server_config.common.validation.emplace().trusted_ca_pem = w.authority.pem();
         w.server_config.common.validation->crl_pem = w.authority.revoke({1}).substr(0, 100);
       },
       "crl: certificate revocation list 1"},
      {[&](TestWorld& w) { w.server_config.common.key_log.path = "/nonexistent/keys"; }, "key_log.path: cannot write"},
      {[&](TestWorld& w) { certificate(w).ocsp_staple = "nonsense"; }, "it is no OCSP response in DER form"},
      {[&](TestWorld& w) { w.server_config.ocsp_policy = ServerConfig::OcspPolicy::kMustStaple; },
       "ocsp_staple_policy is MUST_STAPLE and there is no ocsp_staple"},
  };
  for (const Case& one : cases) {
    TestWorld world;
    one.change(world);

    const auto made = ServerContext::create(world.server_config);

    REQUIRE_FALSE(made.ok());
    INFO(made.status().ToString() << " should have: " << one.message);
    REQUIRE(made.status().ToString().find(one.message) != std::string::npos);
  }
}

TEST_CASE("a client that allows renegotiation is refused") {
  ClientConfig config;
  config.allow_renegotiation = true;

  REQUIRE(ClientContext::create(config).status().ToString().find("allow_renegotiation") != std::string::npos);
}

TEST_CASE("names in certificates match hosts by whole labels") {
  REQUIRE(dnsNameMatches("a.com", "A.COM"));
  REQUIRE(dnsNameMatches("a.com", "a.com."));
  REQUIRE(dnsNameMatches("*.a.com", "x.a.com"));
  REQUIRE_FALSE(dnsNameMatches("*.a.com", "a.com"));
  REQUIRE_FALSE(dnsNameMatches("*.a.com", ".a.com"));
  REQUIRE_FALSE(dnsNameMatches("*.a.com", "x.y.a.com"));
  REQUIRE_FALSE(dnsNameMatches("*.com", "a.com"));
  REQUIRE_FALSE(dnsNameMatches("x*.a.com", "xy.a.com"));
  REQUIRE_FALSE(dnsNameMatches("*", "a"));
  REQUIRE_FALSE(dnsNameMatches("", ""));
}

// Which certificate a client gets that asks for `name`: its first DNS name and key type.
std::string servedTo(TestWorld& world, const std::shared_ptr<const ServerContext>& server, std::string name,
                     std::vector<std::string> algorithms = {}) {
  world.client_config.sni = std::move(name);
  world.client_config.common.signature_algorithms = std::move(algorithms);
  TestPair pair(world, server, world.client());
  pair.shake();
  INFO(pair.server->failure() << " / " << pair.client->failure());
  REQUIRE(pair.up());
  const auto& peer = pair.client->info().peer;
  REQUIRE(pair.server->info().local.sha256 == peer.sha256);
  return peer.subject;
}

TEST_CASE("a certificate is chosen by server name, then by key type") {
  TestWorld world;
  const auto add = [&](std::string label, std::vector<std::string> names, Key key) {
    test::CertificateOptions options;
    options.common_name = std::move(label);
    options.dns_sans = std::move(names);
    options.key = key;
    world.server_config.common.certificates.push_back(TestWorld::certificateConfig(world.authority.issue(options)));
  };
  world.server_config.common.certificates.clear();
  add("default", {"a.com"}, Key::kRsa);
  add("wild", {"*.b.com"}, Key::kEcdsa);
  add("exact", {"x.b.com"}, Key::kEcdsa);
  add("both-rsa", {"c.com"}, Key::kRsa);
  add("both-ecdsa", {"c.com"}, Key::kEcdsa);
  add("cn.com", {}, Key::kEcdsa);
  const auto server = world.server();
  const std::vector<std::string> rsa = {"rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"};

  REQUIRE(servedTo(world, server, "a.com") == "CN=default");
  REQUIRE(servedTo(world, server, "X.B.com") == "CN=exact");
  REQUIRE(servedTo(world, server, "y.b.com") == "CN=wild");
  REQUIRE(servedTo(world, server, "z.y.b.com") == "CN=default");
  REQUIRE(servedTo(world, server, "c.com") == "CN=both-ecdsa");
  REQUIRE(servedTo(world, server, "cn.com") == "CN=cn.com");
  REQUIRE(servedTo(world, server, "both-rsa") == "CN=default");  // a common name beside names counts for nothing
  REQUIRE(servedTo(world, server, "nowhere.com") == "CN=default");
  REQUIRE(servedTo(world, server, "") == "CN=default");
  world.server_config.full_scan_certs_on_sni_mismatch = true;
  REQUIRE(servedTo(world, world.server(), "nowhere.com") == "CN=wild");

  // The client accepts no ECDSA at all: what signs for it is RSA where there is one.
  world.client_config.common.validation.reset();
  world.client_config.common.max_version = GENERATE(Version::kTls12, Version::kTls13);
  REQUIRE(servedTo(world, server, "c.com", rsa) == "CN=both-rsa");
}

TEST_CASE("the server's order decides on the application protocol") {
  TestWorld world;
  world.server_config.common.alpn = {"h2", "http/1.1"};
  std::vector<std::string> offered = {"http/1.1", "h2"};
  std::string expected = "h2";
  SECTION("of the configuration") {
    world.client_config.common.alpn = offered;
  }
  SECTION("of the caller") {
    world.options.alpn = &offered;
  }
  SECTION("of the caller, instead of the configuration where it wants that") {
    world.client_config.common.alpn = {"spdy/3"};
    world.options.alpn = &offered;
    world.options.alpn_first = true;
  }
  SECTION("of the configuration, if the caller does not") {
    world.client_config.common.alpn = {"http/1.1"};
    world.options.alpn = &offered;
    expected = "http/1.1";
  }
  SECTION("nothing in common is no protocol") {
    world.client_config.common.alpn = {"spdy/3"};
    expected = "";
  }
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.up());
  REQUIRE(pair.server->connection.transport()->applicationProtocol() == expected);
  REQUIRE(pair.client->info().application_protocol == expected);
}

TEST_CASE("versions and cipher suites are those of the configuration") {
  TestWorld world;
  world.server_config.common.max_version = Version::kTls12;
  world.server_config.common.cipher_suites = {"[ECDHE-ECDSA-AES256-GCM-SHA384|ECDHE-RSA-AES256-GCM-SHA384]"};
  {
    TestPair pair(world);
    pair.shake();
    REQUIRE(pair.up());
    REQUIRE(pair.client->info().version == "TLSv1.2");
    REQUIRE(pair.client->info().cipher == "ECDHE-ECDSA-AES256-GCM-SHA384");
    REQUIRE(world.serverCount("versions.TLSv1.2") == 1);
  }

  world.client_config.common.min_version = Version::kTls13;
  TestPair pair(world);
  pair.shake();

  REQUIRE(pair.server->broken);
  INFO(pair.server->failure());
  REQUIRE(pair.server->failure().find("no TLS version in common") != std::string::npos);
}

TEST_CASE("staples are sent or withheld by policy") {
  using Policy = ServerConfig::OcspPolicy;
  struct Case {
    Policy policy;
    bool staple;
    bool current;
    const char* counter;
    bool let_in;
  };
  const Case one = GENERATE(Case{Policy::kLenientStapling, true, true, "ocsp_staple_responses", true},
                            Case{Policy::kLenientStapling, true, false, "ocsp_staple_omitted", true},
                            Case{Policy::kLenientStapling, false, false, "ocsp_staple_omitted", true},
                            Case{Policy::kStrictStapling, true, true, "ocsp_staple_responses", true},
                            Case{Policy::kStrictStapling, true, false, "ocsp_staple_failed", false},
                            Case{Policy::kStrictStapling, false, false, "ocsp_staple_omitted", true},
                            Case{Policy::kMustStaple, true, true, "ocsp_staple_responses", true},
                            Case{Policy::kMustStaple, true, false, "ocsp_staple_failed", false});
  TestWorld world;
  const test::TestCertificate certificate = world.authority.issue({.dns_sans = {"a.example.com"}});
  world.server_config.common.certificates[0] = TestWorld::certificateConfig(certificate);
  world.server_config.ocsp_policy = one.policy;
  if (one.staple) {
    world.server_config.common.certificates[0].ocsp_staple =
        world.authority.staple(certificate, one.current ? 3600 : -10);
  }
  world.client_config.request_ocsp_staple = true;
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.up() == one.let_in);
  REQUIRE(world.serverCount("ocsp_staple_requests") == 1);
  REQUIRE(world.serverCount(one.counter) == 1);
}

TEST_CASE("a staple of another certificate, or one that says revoked, is refused") {
  TestWorld world;
  const test::TestCertificate certificate = world.authority.issue({});
  const test::TestCertificate other = world.authority.issue({});
  CertificateConfig& config = world.server_config.common.certificates[0];
  config = TestWorld::certificateConfig(certificate);

  config.ocsp_staple = world.authority.staple(other);
  REQUIRE(ServerContext::create(world.server_config).status().ToString().find("not about this certificate") !=
          std::string::npos);
  config.ocsp_staple = test::TestAuthority("other").staple(certificate);
  REQUIRE_FALSE(ServerContext::create(world.server_config).ok());
  config.ocsp_staple = world.authority.staple(certificate, 3600, true);
  REQUIRE(ServerContext::create(world.server_config).status().ToString().find("revoked") != std::string::npos);
  const std::string good = world.authority.staple(certificate);
  for (size_t size = 1; size < good.size(); ++size) {
    config.ocsp_staple = good.substr(0, size);
    REQUIRE_FALSE(ServerContext::create(world.server_config).ok());
  }
  config.ocsp_staple = good;
  REQUIRE(world.server()->facts().certificates[0].ocsp_valid_to > 0);
}

TEST_CASE("a certificate that must be stapled needs a staple") {
  TestWorld world;
  test::CertificateOptions options;
  options.must_staple = true;
  const test::TestCertificate certificate = world.authority.issue(options);
  world.server_config.common.certificates[0] = TestWorld::certificateConfig(certificate);

  REQUIRE(ServerContext::create(world.server_config).status().ToString().find("says that it must be stapled") !=
          std::string::npos);
  world.server_config.common.certificates[0].ocsp_staple = world.authority.staple(certificate);
  REQUIRE(ServerContext::create(world.server_config).ok());
}

TEST_CASE("a client without a server name is refused where one is required") {
  TestWorld world;
  world.server_config.require_sni = true;
  world.client_config.sni = "";
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.server->broken);
  REQUIRE(pair.server->failure().find("sent no server name") != std::string::npos);
}

TEST_CASE("secrets of handshakes are logged where that is asked for") {
  TestWorld world;
  char path[] = "/tmp/sluice_key_log_XXXXXX";
  const net::Fd file(mkstemp(path));
  world.server_config.common.key_log.path = path;
  const bool wanted = GENERATE(true, false);
  world.server_config.common.key_log.wanted = [wanted](const net::Address&, const net::Address&) { return wanted; };
  TestPair pair(world);

  pair.shake();

  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  unlink(path);
  REQUIRE((text.find("SERVER_TRAFFIC_SECRET_0 ") != std::string::npos) == wanted);
}

TEST_CASE("the facts of a context are those of its certificates") {
  TestWorld world;
  world.server_config.common.validation.emplace().trusted_ca_pem = world.authority.pem();
  world.server_config.common.validation->trusted_ca_name = "/etc/ca.pem";

  const auto context = world.server();

  const ContextFacts& facts = context->facts();
  REQUIRE(facts.certificates.size() == 1);
  REQUIRE(facts.certificates[0].name == "test");
  REQUIRE(facts.certificates[0].dns_sans == std::vector<std::string>{"a.example.com"});
  REQUIRE(facts.certificates[0].issuer == "CN=test authority");
  REQUIRE(facts.certificates[0].daysUntilExpiration(facts.certificates[0].valid_to - 86400 * 3) == 3);
  REQUIRE(facts.authorities.size() == 1);
  REQUIRE(facts.authorities[0].name == "/etc/ca.pem");
  REQUIRE(facts.warnings.empty());
}

}  // namespace
}  // namespace sluice::tls
