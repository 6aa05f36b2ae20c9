// Who is let in: validation of peers, and sessions that may not go round it.
#include "source/tls/test_pair.h"

namespace sluice::tls {
namespace {

// A world in which the client has a certificate too and the server requires one.
struct MutualWorld : TestWorld {
  explicit MutualWorld(const test::CertificateOptions& client = {.uri_sans = {"spiffe://a/client"}})
      : client_certificate(authority.issue(client)) {
    server_config.require_client_certificate = true;
    server_config.common.validation.emplace().trusted_ca_pem = authority.pem();
    client_config.common.certificates.push_back(certificateConfig(client_certificate));
  }
  ValidationConfig& rules() { return *server_config.common.validation; }
  test::TestCertificate client_certificate;
};

bool contains(const std::string& text, std::string_view part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

TEST_CASE("a client with a certificate of the authority is let in and described") {
  MutualWorld world;
  TestPair pair(world);

  pair.shake();

  INFO(pair.server->failure());
  REQUIRE(pair.up());
  const net::TlsInfo& info = pair.server->info();
  REQUIRE(info.peer_validated);
  REQUIRE(info.peer.uri_sans == std::vector<std::string>{"spiffe://a/client"});
  REQUIRE(info.peer.subject == "CN=test");
  REQUIRE(info.peer.sha256 == world.client_certificate.sha256_hex);
  REQUIRE(info.peer.chain_sha256.front() == info.peer.sha256);
  REQUIRE(info.peer.chain_sha1.front() == info.peer.sha1);
  REQUIRE(info.peer.chain_serials.front() == info.peer.serial);
  REQUIRE(info.peer.pem.starts_with("-----BEGIN%20CERTIFICATE-----%0A"));
  REQUIRE(pair.client->info().local.uri_sans.size() == 1);
  REQUIRE(world.serverCount("no_certificate") == 0);
}

TEST_CASE("who signed a client's certificate is told as it was verified") {
  const auto shaken = [](MutualWorld& world) {
    TestPair pair(world);
    pair.shake();
    INFO(pair.server->failure());
    REQUIRE(pair.up());
    return pair.server->info();
  };
  const auto tellsSecond = [](const net::TlsInfo& info) {
    REQUIRE(info.peer.chain_sha256.size() == 2);
    CHECK(info.peer_issuer_sha256 == info.peer.chain_sha256[1]);
    CHECK(info.peer_issuer_serial == info.peer.chain_serials[1]);
  };
  const auto chainOf = [](MutualWorld& world) -> std::string& {
    return world.client_config.common.certificates.front().chain_pem;
  };

  MutualWorld direct;
  chainOf(direct) += direct.authority.pem();
  tellsSecond(shaken(direct));

  MutualWorld between;
  test::TestAuthority middle("middle", between.authority);
  const test::TestCertificate client = middle.issue({});
  between.client_config.common.certificates = {TestWorld::certificateConfig(client)};
  chainOf(between) += middle.pem();
  const net::TlsInfo sent = shaken(between);
  tellsSecond(sent);
  chainOf(between) = client.chain_pem;
  between.rules().trusted_ca_pem += middle.pem();
  CHECK(shaken(between).peer_issuer_sha256 == sent.peer_issuer_sha256);

  MutualWorld itself;
  itself.rules().trusted_ca_pem = itself.client_certificate.chain_pem;
  CHECK(shaken(itself).peer_issuer_sha256 == "");

  MutualWorld untrusted;
  test::TestAuthority other("other authority");
  untrusted.rules().trusted_ca_pem = other.pem();
  untrusted.rules().accept_untrusted = true;
  CHECK(shaken(untrusted).peer_issuer_sha256 == "");
}

TEST_CASE("a client without the required certificate is refused") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  MutualWorld world;
  world.server_config.common.max_version = version;
  world.client_config.common.certificates.clear();
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.server->broken);
  REQUIRE(contains(pair.server->failure(), "the client sent no certificate and one is required"));
  REQUIRE(world.serverCount("fail_verify_no_cert") == 1);
  REQUIRE(world.serverCount("handshake") == 0);
}

TEST_CASE("a client without a certificate is let in where none is required") {
  MutualWorld world;
  world.server_config.require_client_certificate = false;
  world.client_config.common.certificates.clear();
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.up());
  REQUIRE_FALSE(pair.server->info().peer_validated);
}

TEST_CASE("client certificates that the rules refuse are refused, each with its reason and counter") {
  struct Case {
    const char* name;
    std::function<void(MutualWorld&)> change;
    test::CertificateOptions client;
    const char* reason;
    const char* counter;
  };
  static test::TestAuthority other("other authority");
  const auto name = [](SanMatcher::Type type, std::string exact) {
    SanMatcher matcher;
    matcher.type = type;
    matcher.exact = exact;
    matcher.matches = [exact](std::string_view text) { return text == exact; };
    return matcher;
  };
  const auto nothing = [](MutualWorld&) {};
  const std::string nul("a.com\0.evil.com", 15);
  using Usage = test::CertificateOptions::Usage;
  const std::vector<Case> cases = {
      {"unknown authority",
       [](MutualWorld& w) { w.rules().trusted_ca_pem = other.pem(); },
       {},
       "unable to get local issuer certificate",
       "fail_verify_error"},
      {"expired", nothing, {.valid_from = -7200, .valid_to = -3600}, "certificate has expired", "fail_verify_error"},
      {"not yet valid", nothing, {.valid_from = 3600}, "certificate is not yet valid", "fail_verify_error"},
      {"a server's", nothing, {.usage = Usage::kServer}, "unsupported certificate purpose", "fail_verify_error"},
      {"revoked",
       [](MutualWorld& w) { w.rules().crl_pem = w.authority.revoke({w.client_certificate.serial}); },
       {},
       "certificate revoked",
       "fail_verify_error"},
      {"other name",
       [&](MutualWorld& w) { w.rules().san_matchers = {name(SanMatcher::Type::kUri, "spiffe://a/b")}; },
       {.uri_sans = {"spiffe://a/c"}},
       "the certificate's are URI:spiffe://a/c",
       "fail_verify_san"},
      {"right name of the wrong type",
       [&](MutualWorld& w) { w.rules().san_matchers = {name(SanMatcher::Type::kUri, "a.com")}; },
       {.dns_sans = {"a.com"}},
       "DNS:a.com",
       "fail_verify_san"},
      {"wildcard over two labels",
       [&](MutualWorld& w) { w.rules().san_matchers = {name(SanMatcher::Type::kDns, "x.y.a.com")}; },
       {.dns_sans = {"*.a.com"}},
       "DNS:*.a.com",
       "fail_verify_san"},
      {"name with NUL",
       [&](MutualWorld& w) { w.rules().san_matchers = {name(SanMatcher::Type::kDns, "a.com")}; },
       {.dns_sans = {nul}},
       "none",
       "fail_verify_san"},
      {"common name only",
       [&](MutualWorld& w) { w.rules().san_matchers = {name(SanMatcher::Type::kDns, "a.com")}; },
       {.common_name = "a.com"},
       "none",
       "fail_verify_san"},
      {"other name of another type",
       [&](MutualWorld& w) {
         w.rules().san_matchers = {name(SanMatcher::Type::kOther, "ali")};
         w.rules().san_matchers[0].oid = "1.2.3";
       },
       {.other_sans = {{"1.2.4", "ali"}, {"1.2.3", "bob"}}},
       "OTHER:ali, OTHER:bob",
       "fail_verify_san"},
      {"other hash",
       [](MutualWorld& w) { w.rules().certificate_hashes = {std::string(64, 'a')}; },
       {},
       "none of the configured hashes",
       "fail_verify_cert_hash"},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    const Version version = &one - cases.data() & 1 ? Version::kTls12 : Version::kTls13;
    MutualWorld world(one.client);
    world.server_config.common.max_version = version;
    one.change(world);
    TestPair pair(world);

    pair.shake();

    REQUIRE(pair.server->broken);
    REQUIRE_FALSE(pair.server->connected);
    REQUIRE(contains(pair.server->failure(), one.reason));
    REQUIRE(world.serverCount(one.counter) == 1);
    REQUIRE(world.serverCount("connection_error") == 0);
  }
}

TEST_CASE("client certificates that the rules allow are let in") {
  struct Case {
    const char* name;
    std::function<void(MutualWorld&)> change;
    test::CertificateOptions client;
    bool validated;
  };
  const std::vector<Case> cases = {
      {"its hash", [](MutualWorld& w) { w.rules().certificate_hashes = {w.client_certificate.sha256_hex}; }, {}, true},
      {"its key's hash",
       [](MutualWorld& w) {
         w.rules().trusted_ca_pem.clear();
         w.rules().spki_hashes = {w.client_certificate.spki_sha256_base64};
       },
       {},
       true},
      {"one hash of two kinds",
       [](MutualWorld& w) {
         w.rules().certificate_hashes = {std::string(64, 'b')};
         w.rules().spki_hashes = {w.client_certificate.spki_sha256_base64};
       },
       {},
       true},
      {"a list that names others",
       [](MutualWorld& w) { w.rules().crl_pem = w.authority.revoke({w.client_certificate.serial + 1}); },
       {},
       true},
      {"expired and allowed",
       [](MutualWorld& w) { w.rules().allow_expired_certificate = true; },
       {.valid_from = -7200, .valid_to = -3600},
       true},
      {"another name of its type",
       [](MutualWorld& w) {
         SanMatcher matcher;
         matcher.type = SanMatcher::Type::kOther;
         matcher.oid = "1.2.3";
         matcher.exact = "ali";
         w.rules().san_matchers = {matcher};
       },
       {.other_sans = {{"1.2.4", "bob"}, {"1.2.3", "ali"}}},
       true},
      {"untrusted and accepted",
       [](MutualWorld& w) {
         w.rules().trusted_ca_pem = test::TestAuthority("other").pem();
         w.rules().accept_untrusted = true;
       },
       {},
       false},
      {"a client's", [](MutualWorld&) {}, {.usage = test::CertificateOptions::Usage::kClient}, true},
  };
  for (const Case& one : cases) {
    INFO(one.name);
    MutualWorld world(one.client);
    one.change(world);
    TestPair pair(world);

    pair.shake();

    INFO(pair.server->failure());
    REQUIRE(pair.up());
    REQUIRE(pair.server->info().peer_validated == one.validated);
  }
}

TEST_CASE("a server whose certificate is not for the asked name is refused by the client") {
  TestWorld world;
  const bool right = GENERATE(true, false);
  world.options.verify_san = right ? "A.example.com" : "b.example.com";
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.client->connected == right);
  if (right) return;
  REQUIRE(
      contains(pair.client->failure(), "the certificate is not for 'b.example.com'; its names are DNS:a.example.com"));
  REQUIRE(world.clientCount("fail_verify_san") == 1);
  REQUIRE(contains(pair.server->failure(), "the peer refused our certificate"));
}

TEST_CASE("a server with an expired certificate is refused by the client and warned about by itself") {
  TestWorld world;
  world.server_config.common.certificates[0] =
      TestWorld::certificateConfig(world.authority.issue({.valid_from = -7200, .valid_to = -3600}));
  const auto context = world.server();
  TestPair pair(world, context, world.client());

  pair.shake();

  REQUIRE(contains(pair.client->failure(), "certificate has expired"));
  REQUIRE(contains(pair.server->failure(), "the peer finds our certificate expired"));
  REQUIRE(context->facts().warnings.size() == 1);
  REQUIRE(contains(context->facts().warnings[0], "expired on"));
  REQUIRE(context->facts().certificates[0].daysUntilExpiration(2000000000) == 0);
}

TEST_CASE("a peer whose key may not sign is refused, whatever its kind, version and side") {
  using Key = test::CertificateOptions::Key;
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  const Key key = GENERATE(Key::kEcdsa, Key::kRsa);
  const bool server_side = GENERATE(true, false);
  const test::CertificateOptions options{
      .dns_sans = {"a.example.com"}, .key = key, .key_usage = "critical,keyAgreement,keyEncipherment"};
  MutualWorld world(server_side ? test::CertificateOptions{} : options);
  world.client_config.common.max_version = version;
  if (server_side) {
    world.server_config.common.certificates = {TestWorld::certificateConfig(world.authority.issue(options))};
  }
  TestPair pair(world);

  pair.shake();

  const TestEnd& refusing = server_side ? *pair.client : *pair.server;
  REQUIRE(refusing.broken);
  REQUIRE_FALSE(refusing.connected);
  // Why differs: mostly it is the library of the peer that does not even use such a certificate.
  REQUIRE_FALSE(refusing.failure().empty());
}

// --- resumption ---

// A connection that carries a byte each way, so that tickets arrive.
void visit(TestWorld& world, const std::shared_ptr<const ServerContext>& server,
           const std::shared_ptr<const ClientContext>& client, bool& resumed, bool& let_in) {
  TestPair pair(world, server, client);
  pair.shake();
  pair.client->connection.write("?");
  world.loop.turn();
  pair.server->connection.write("!");
  world.loop.turn();
  let_in = pair.up() && pair.client->got == "!";
  resumed = let_in && pair.server->info().resumed;
  if (let_in) REQUIRE(pair.client->info().resumed == resumed);
}

TEST_CASE("a client comes back with a session, by ticket and by id") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  const bool tickets = GENERATE(true, false);
  TestWorld world;
  world.client_config.common.max_version = version;
  world.server_config.disable_stateless_session_resumption = !tickets;
  const auto server = world.server();
  const auto client = world.client();
  bool resumed, let_in;

  visit(world, server, client, resumed, let_in);
  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
  visit(world, server, client, resumed, let_in);

  REQUIRE(let_in);
  // TLS 1.3 has tickets only.
  REQUIRE(resumed == (tickets || version == Version::kTls12));
  REQUIRE(world.serverCount("session_reused") == (resumed ? 1 : 0));
}

TEST_CASE("resumption that is switched off does not happen") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  const bool at_client = GENERATE(true, false);
  TestWorld world;
  world.client_config.common.max_version = version;
  if (at_client) {
    world.client_config.max_session_keys = 0;
  } else {
    world.server_config.disable_stateless_session_resumption = true;
    world.server_config.disable_stateful_session_resumption = true;
  }
  const auto server = world.server();
  const auto client = world.client();
  bool resumed, let_in;

  visit(world, server, client, resumed, let_in);
  visit(world, server, client, resumed, let_in);

  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
}

TEST_CASE("tickets survive the rotation of their keys while the old key is listed, and no longer") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  TestWorld world;
  world.client_config.common.max_version = version;
  const std::string old_key(80, 'o'), new_key(80, 'n');
  const auto client = world.client();
  world.server_config.disable_stateful_session_resumption = true;
  world.server_config.session_ticket_keys = {old_key};
  const auto before = world.server();
  world.server_config.session_ticket_keys = {new_key, old_key};
  const auto during = world.server();
  world.server_config.session_ticket_keys = {new_key};
  const auto after = world.server();
  bool resumed, let_in;

  visit(world, before, client, resumed, let_in);
  visit(world, during, client, resumed, let_in);
  REQUIRE(resumed);
  visit(world, after, client, resumed, let_in);
  REQUIRE(resumed);  // the visit in between renewed the ticket
  visit(world, before, client, resumed, let_in);

  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
}

TEST_CASE("tickets stay good when a context is replaced and its certificate renewed") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  const bool shared = GENERATE(true, false);
  TestWorld world;
  world.client_config.common.max_version = version;
  world.server_config.disable_stateful_session_resumption = true;
  if (shared) world.server_config.ticket_key_ring = std::make_shared<TicketKeyRing>();
  const auto client = world.client();
  bool resumed, let_in;

  visit(world, world.server(), client, resumed, let_in);
  world.server_config.common.certificates[0] =
      TestWorld::certificateConfig(world.authority.issue({.dns_sans = {"a.example.com"}}));
  visit(world, world.server(), client, resumed, let_in);

  REQUIRE(let_in);
  REQUIRE(resumed == shared);
}

TEST_CASE("keys of tickets encrypt for a day and decrypt for another") {
  using std::chrono::seconds;
  TicketKeyRing ring;
  const seconds start{1000};

  const TicketKeyList first = ring.keys(start);
  const TicketKeyList same = ring.keys(start + TicketKeyRing::kRotation - seconds(1));
  const TicketKeyList second = ring.keys(start + TicketKeyRing::kRotation);
  const TicketKeyList third = ring.keys(start + 2 * TicketKeyRing::kRotation);
  const TicketKeyList after_a_pause = ring.keys(start + 5 * TicketKeyRing::kRotation);

  REQUIRE(same == first);
  REQUIRE(first->size() == 1);
  REQUIRE(second->size() == 2);
  REQUIRE(second->front().name != first->front().name);
  REQUIRE(second->back().name == first->front().name);
  REQUIRE(third->back().name == second->front().name);
  REQUIRE(after_a_pause->size() == 1);
}

TEST_CASE("tickets reach a client that waits for them before it says a word") {
  TestWorld world;
  const auto server = world.server();
  const auto client = world.client();
  {
    TestPair pair(world, server, client);
    pair.shake();
    world.loop.turn();
    pair.client->connection.resumeReading();
    world.loop.turn();
  }
  TestPair pair(world, server, client);

  pair.shake();

  REQUIRE(pair.up());
  REQUIRE(pair.server->info().resumed);
}

TEST_CASE("a session of one place opens nothing where other rules hold") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  MutualWorld world;
  world.client_config.common.max_version = version;
  world.server_config.session_ticket_keys = {std::string(80, 'k')};
  const auto client = world.client();
  world.server_config.session_scope = "a.example.com";
  const auto a = world.server();
  world.server_config.session_scope = "b.example.com";
  const auto b = world.server();
  const std::string crl = world.authority.revoke({world.client_certificate.serial});
  world.server_config.session_scope = "a.example.com";
  world.rules().crl_pem = crl;
  const auto revoking = world.server();
  bool resumed, let_in;

  visit(world, a, client, resumed, let_in);
  REQUIRE(let_in);
  visit(world, a, client, resumed, let_in);
  REQUIRE(resumed);
  visit(world, b, client, resumed, let_in);
  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
  visit(world, revoking, client, resumed, let_in);

  REQUIRE_FALSE(let_in);
}

TEST_CASE("a session of one server name is not offered to another") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  TestWorld world;
  world.client_config.common.max_version = version;
  const auto server = world.server();
  const auto client = world.client();
  bool resumed, let_in;
  visit(world, server, client, resumed, let_in);
  visit(world, server, client, resumed, let_in);
  REQUIRE(resumed);

  world.options.server_name = "b.example.com";
  visit(world, server, client, resumed, let_in);

  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
}

TEST_CASE("a session is not resumed once any authority of the bundle is another") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  static test::TestAuthority second("second"), third("third");
  MutualWorld world;
  world.client_config.common.max_version = version;
  world.server_config.session_ticket_keys = {std::string(80, 'k')};
  const std::string first = world.rules().trusted_ca_pem;
  const auto client = world.client();
  world.rules().trusted_ca_pem = first + second.pem();
  const auto before = world.server();
  world.rules().trusted_ca_pem = first + third.pem();
  const auto after = world.server();
  bool resumed, let_in;
  visit(world, before, client, resumed, let_in);
  visit(world, before, client, resumed, let_in);
  REQUIRE(resumed);

  visit(world, after, client, resumed, let_in);

  REQUIRE(let_in);
  REQUIRE_FALSE(resumed);
}

TEST_CASE("the certificate of a resumed session is checked again") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  MutualWorld world;
  world.client_config.common.max_version = version;
  bool allowed = true;
  SanMatcher matcher;
  matcher.type = SanMatcher::Type::kUri;
  matcher.matches = [&allowed](std::string_view) { return allowed; };
  world.rules().san_matchers = {matcher};
  const auto server = world.server();
  const auto client = world.client();
  bool resumed, let_in;
  visit(world, server, client, resumed, let_in);
  visit(world, server, client, resumed, let_in);
  REQUIRE(resumed);

  allowed = false;
  visit(world, server, client, resumed, let_in);

  REQUIRE_FALSE(let_in);
  REQUIRE(world.serverCount("fail_verify_san") == 1);
}

}  // namespace
}  // namespace sluice::tls
