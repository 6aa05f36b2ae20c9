#include "source/extensions/filters/http/oauth2_server/filter.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>

#include "absl/strings/escaping.h"
#include "sluice/extensions/filters/http/oauth2_server/v1/oauth2_server.pb.h"
#include "source/base/base64_url.h"
#include "source/base/percent.h"
#include "source/extensions/filters/http/oauth2_server/factory.h"
#include "source/extensions/filters/http/oauth2_server/test_state.h"
#include "source/filter/identity.h"
#include "source/jwt/token.h"
#include "source/stream/strict_json.h"
#include "source/worker/main_services.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

namespace v1 = sluice::extensions::filters::http::oauth2_server::v1;
using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::seconds;
using testing::kNow;
using Parameters = std::map<std::string, std::string>;

const std::string kVerifier(43, 'v'), kReturn = "https://app.example/cb";

// With the secret "sesame", but for the public one.
const std::string kClients = R"(clients:
- {id: app, secrets: [{sha256: d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272}],
   redirect_uris: ["https://app.example/cb"], grant_types: [authorization_code, refresh_token, client_credentials],
   scopes: [read, write], audiences: ["https://api.example"]}
- {id: native, redirect_uris: ["http://127.0.0.1/cb"], grant_types: [authorization_code, refresh_token],
   scopes: [read], audiences: ["https://api.example"]}
- {id: api, secrets: [{sha256: d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272}],
   grant_types: [client_credentials], audiences: [self], introspects: ["https://api.example"]}
- {id: robot, certificate: {dns_san: robot.example}, grant_types: [client_credentials], scopes: [read],
   audiences: ["https://api.example"], access_token_lifetime: 60s}
)";

std::string formOf(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    out += (out.empty() ? "" : "&") + name + "=" + base::percentEncoded(value);
  }
  return out;
}

class FakeTls : public net::Transport {
 public:
  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info; }
  net::TlsInfo info;
};

struct Answered {
  uint16_t status = 0;
  std::string body, details;
  Fields headers;

  std::string header(const std::string& name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }
  stream::MetadataFields json() const {
    INFO(body);
    const auto out = stream::readStrictJson(body);
    REQUIRE(out);
    return *out;
  }
  const stream::MetadataValue* member(const std::string& name) const {
    fields = json();
    for (const stream::MetadataField& field : fields) {
      if (field.name == name) return &field.value;
    }
    return nullptr;
  }
  std::string text(const std::string& name) const {
    const auto* const found = member(name);
    const auto* const text = found == nullptr ? nullptr : std::get_if<std::string>(&found->value);
    return text == nullptr ? "" : *text;
  }
  bool flag(const std::string& name) const {
    const auto* const found = member(name);
    return found != nullptr && std::get<bool>(found->value);
  }
  mutable stream::MetadataFields fields;
};

struct World : filter::testing::FilterWorld<v1::OAuth2Server> {
  explicit World(const std::string& more = "") : FilterWorld(registerFactory, "http.p.oauth2_server.") {
    services.main = &main;
    services.local_slots = slots;
    auto opened = TokenServer::open({.path = store}, {},
                                    {.main = loop, .slots = slots, .now = [this] { return now; }, .threads = 0});
    REQUIRE(opened.ok());
    server = *opened;
    services.objects.get<TokenServer>("oauth2 store " + store, [&] { return server; });
    filter = compile("{issuer: https://as.example, store: {path: " + store + "}" + more + "}\n", kClients);
  }

  ~World() {
    filter.reset();
    loop.turn();
  }

  std::shared_ptr<const filter::HttpFilterFactory> compile(const std::string& head, const std::string& clients) {
    const std::string path = folder.write("clients.yaml", clients);
    std::string yaml = head;
    yaml.insert(yaml.rfind('}'), ", client_file: {filename: " + path + "}");
    auto out = FilterWorld::compile(yaml);
    INFO(problems());
    REQUIRE(out != nullptr);
    return out;
  }

  Answered request(const std::string& method, const std::string& path, Fields fields, const std::string& body = "") {
    Harness h({filter});
    h.stream.shared_worker = &worker;
    h.stream.info().start_time = now;
    h.stream.request().path = path;
    if (tls) h.stream.info().downstream_transport = tls;
    if (!subject.empty()) {
      h.stream.info().metadata().set(stream::kIdentityMetadata, "subject", {subject});
      h.stream.info().metadata().set(stream::kIdentityMetadata, "method", {method_of_user});
    }
    h.request(method, fields, body.empty());
    if (!body.empty() && h.client.heads == 0) h.runner->requestData(body, true);
    settle();
    passed = h.terminal.heads;
    for (const char* name :
         {"codes", "tokens", "refused", "client_refused", "reused", "introspected", "revoked", "unavailable"}) {
      counts[name] += counted(h, name);
    }
    return {h.client.status, h.client.body, std::string(h.stream.info().response_code_details), h.client.headers, {}};
  }
  Answered post(const std::string& path, const Parameters& parameters, Fields fields = {}) {
    fields.push_back({"content-type", "application/x-www-form-urlencoded"});
    return request("POST", path, fields, formOf(parameters));
  }
  static Fields basic(const std::string& client = "app", const std::string& secret = "sesame") {
    return {{"authorization", "Basic " + absl::Base64Escape(client + ":" + secret)}};
  }
  Answered token(const Parameters& parameters, const Fields& fields = basic()) {
    return post("/oauth2/token", parameters, fields);
  }
  // The code that a user gets.
  std::string code() {
    subject = "ann";
    const Answered out = request("GET", "/oauth2/authorize?" + formOf(authorization()), {});
    subject.clear();
    const std::string location = out.header("location");
    REQUIRE(out.status == 303);
    REQUIRE(location.starts_with(kReturn + "?code="));
    const size_t from = kReturn.size() + 6;
    return location.substr(from, location.find('&') - from);
  }
  static Parameters authorization() {
    const Digest challenge = filter::digestOf(kVerifier);
    return {{"client_id", "app"},
            {"redirect_uri", kReturn},
            {"response_type", "code"},
            {"state", "xyz"},
            {"code_challenge", base::toBase64Url({reinterpret_cast<const char*>(challenge.data()), 32})},
            {"code_challenge_method", "S256"}};
  }
  Answered login() {
    return token({{"grant_type", "authorization_code"},
                  {"code", code()},
                  {"redirect_uri", kReturn},
                  {"code_verifier", kVerifier}});
  }
  Answered introspect(const std::string& token, const std::string& client = "api") {
    return post("/oauth2/introspect", {{"token", token}}, basic(client));
  }

  // All that waits anywhere.
  void settle() {
    for (int i = 0; i < 6; ++i) {
      worker.runMain();
      loop.turn();
      server->runOne();
      loop.turn();
      worker.loop.turn();
    }
  }
  // Both clocks, with what main does in that time.
  void pass(seconds by) {
    for (seconds i{0}; i < by; ++i) {
      now += seconds(1);
      loop.pass(seconds(1));
      settle();
    }
  }

  const test::ScratchFolder folder;
  const std::string store = folder / "store";
  std::chrono::system_clock::time_point now = kNow;
  event::PolledLoop loop;  // main's
  worker::LocalSlots slots;
  worker::testing::TestWorker worker{nullptr, slots};
  worker::MainServices main{loop, stats.makeCells(), slots, [](std::function<void(worker::WorkerServices&)>) {}};
  std::shared_ptr<TokenServer> server;
  std::shared_ptr<const filter::HttpFilterFactory> filter;
  std::string subject, method_of_user = "basic";
  net::Transport* tls = nullptr;
  int passed = 0;
  std::map<std::string, int> counts;
};

// The claims of a token that the published keys have signed.
jwt::Token verified(World& world, const std::string& text) {
  auto parsed = jwt::parse(text);
  REQUIRE(std::holds_alternative<jwt::Token>(parsed));
  std::vector<std::string> skipped;
  std::string error;
  const auto keys = jwt::KeySet::parse(world.request("GET", "/oauth2/jwks", {}).body, skipped, error);
  INFO(error);
  REQUIRE(keys != nullptr);
  auto token = std::get<jwt::Token>(std::move(parsed));
  size_t tries = 1;
  CHECK(jwt::verify(token, *keys, tries) == jwt::Failure::kNone);
  return token;
}

// A text at a path of an object; "": there is none.
std::string textAt(const stream::MetadataFields& object, const std::vector<std::string>& path) {
  const stream::MetadataFields around{{"object", {object}}};
  const auto* const found = stream::findMetadata(around, "object", path);
  return found == nullptr ? "" : std::get<std::string>(found->value);
}

TEST_CASE("other paths pass on") {
  World world;
  world.request("POST", "/", {}, "x");
  CHECK(world.passed == 1);
  world.request("GET", "/oauth2/token/x", {});
  CHECK(world.passed == 1);
}

TEST_CASE("a client gets a token of its own") {
  World world;
  const Answered out = world.token({{"grant_type", "client_credentials"}, {"scope", "write"}});

  REQUIRE(out.status == 200);
  CHECK(out.header("cache-control") == "no-store");
  CHECK(out.header("content-type") == "application/json");
  CHECK(out.text("token_type") == "Bearer");
  CHECK(out.text("scope") == "write");
  CHECK(out.text("refresh_token").empty());
  const jwt::Token token = verified(world, out.text("access_token"));
  CHECK(token.issuer == "https://as.example");
  CHECK(token.subject == "app");
  CHECK(token.audiences == std::vector<std::string>{"https://api.example"});
  CHECK(*token.expires - *token.issued == 300);
  CHECK(textAt(token.claims, {"client_id"}) == "app");
  CHECK(textAt(token.claims, {"scope"}) == "write");
  CHECK(textAt(token.header, {"typ"}) == "at+jwt");
  CHECK(world.counts["tokens"] == 1);
}

TEST_CASE("a user's code becomes tokens, and these become others") {
  World world;
  const Answered out = world.login();
  REQUIRE(out.status == 200);
  CHECK(verified(world, out.text("access_token")).subject == "ann");

  const Answered next = world.token({{"grant_type", "refresh_token"}, {"refresh_token", out.text("refresh_token")}});
  REQUIRE(next.status == 200);
  CHECK(verified(world, next.text("access_token")).subject == "ann");
  const Answered again = world.token({{"grant_type", "refresh_token"}, {"refresh_token", out.text("refresh_token")}});
  CHECK(again.status == 400);
  CHECK(again.text("error") == "invalid_grant");
  CHECK(world.counts["reused"] == 1);
  CHECK_FALSE(world.introspect(next.text("access_token")).flag("active"));
}

TEST_CASE("a client that has lost an answer asks again, where it has time for that") {
  World world(", reuse_grace: 0.5s");
  const Parameters refresh = {{"grant_type", "refresh_token"}, {"refresh_token", world.login().text("refresh_token")}};
  CHECK(world.token(refresh).status == 200);
  CHECK(world.token(refresh).status == 200);
  world.now += seconds(1);
  CHECK(world.token(refresh).status == 400);
  CHECK(world.counts["reused"] == 1);
}

TEST_CASE("where users are sent back to hears of errors, and of the issuer") {
  World world;
  Parameters asked = World::authorization();
  asked["response_type"] = "token";
  world.subject = "ann";
  const Answered error = world.request("GET", "/oauth2/authorize?" + formOf(asked), {});
  CHECK(error.status == 303);
  CHECK_THAT(error.header("location"), Catch::StartsWith(kReturn + "?error=unsupported_response_type&") &&
                                           Catch::Contains("&state=xyz&iss=https%3A%2F%2Fas.example"));
  CHECK(error.header("cache-control") == "no-store");

  asked["redirect_uri"] = "https://evil.example/";
  const Answered page = world.request("GET", "/oauth2/authorize?" + formOf(asked), {});
  CHECK(page.status == 400);
  CHECK(page.header("location").empty());
  CHECK(page.details == "oauth2_untrusted_redirect");
  // What passes without a credential is nobody's, whatever it is called.
  world.method_of_user = "anonymous";
  CHECK(world.request("GET", "/oauth2/authorize?" + formOf(World::authorization()), {}).status == 401);
  world.subject.clear();
  CHECK(world.request("GET", "/oauth2/authorize?" + formOf(World::authorization()), {}).status == 401);
  CHECK(world.counts["codes"] == 0);
}

TEST_CASE("clients show themselves in one way, and rightly") {
  World world;
  const Parameters grant = {{"grant_type", "client_credentials"}};
  const auto with = [&](Parameters more) {
    more.insert(grant.begin(), grant.end());
    return more;
  };
  CHECK(world.token(with({{"client_id", "app"}, {"client_secret", "sesame"}}), {}).status == 200);
  CHECK(world.token(with({{"client_id", "app"}})).status == 200);
  for (const Fields& fields :
       {World::basic("app", "open"), World::basic("nobody"), World::basic("native", ""), Fields{},
        Fields{{"authorization", "Bearer x"}}, Fields{{"authorization", "Basic !"}}, World::basic("app", "")}) {
    const Answered out = world.token(grant, fields);
    CHECK((out.status == 401 || out.text("error") == "unauthorized_client"));
    if (out.status == 401) {
      CHECK(out.text("error") == "invalid_client");
      CHECK_THAT(out.header("www-authenticate"), Catch::StartsWith("Basic"));
    }
  }
  CHECK(world.token(with({{"client_id", "native"}, {"client_secret", "x"}}), {}).status == 401);
  CHECK(world.token(with({{"client_id", "robot"}}), {}).status == 401);
  CHECK(world.token(with({{"client_secret", "sesame"}})).text("error") == "invalid_request");
  CHECK(world.token(with({{"client_id", "api"}})).text("error") == "invalid_request");
  CHECK(world.token(with({{"client_assertion", "x"}})).text("error") == "invalid_request");
  CHECK(world.counts["tokens"] == 2);
}

TEST_CASE("what a client shows by Basic is encoded as a form's") {
  World world;
  CHECK(world.token({{"grant_type", "client_credentials"}}, World::basic("a%70p", "s%65same")).status == 200);
}

TEST_CASE("tokens of a client with a certificate are bound to it") {
  World world;
  FakeTls tls;
  tls.info.peer_presented = tls.info.peer_validated = true;
  tls.info.peer.dns_sans = {"robot.example"};
  tls.info.peer.sha256 = std::string(64, 'a');
  world.tls = &tls;

  const Answered out = world.token({{"grant_type", "client_credentials"}, {"client_id", "robot"}}, {});

  REQUIRE(out.status == 200);
  const jwt::Token token = verified(world, out.text("access_token"));
  CHECK(textAt(token.claims, {"cnf", "x5t#S256"}) == base::toBase64Url(std::string(32, '\xaa')));
  CHECK(*token.expires - *token.issued == 60);
  tls.info.peer.dns_sans = {"other.example"};
  CHECK(world.token({{"grant_type", "client_credentials"}, {"client_id", "robot"}}, {}).status == 401);
}

TEST_CASE("requests for tokens are forms, and each parameter stands there once") {
  World world;
  CHECK(world.request("GET", "/oauth2/token?grant_type=client_credentials", World::basic()).status == 405);
  Fields fields = World::basic();
  CHECK(world.request("POST", "/oauth2/token", fields, "grant_type=client_credentials").text("error") ==
        "invalid_request");
  fields.push_back({"content-type", "application/x-www-form-urlencoded; charset=utf-8"});
  CHECK(world.request("POST", "/oauth2/token", fields, "grant_type=client_credentials").status == 200);
  CHECK(world.request("POST", "/oauth2/token", fields, "grant_type=client_credentials&scope=read&scope=read")
            .text("error") == "invalid_request");
  CHECK(world.request("POST", "/oauth2/token", fields, "x=" + std::string(64 * 1024, 'a')).status == 413);
  CHECK(world.request("POST", "/oauth2/token", fields).text("error") == "invalid_request");
  CHECK(world.token({{"grant_type", "password"}}).text("error") == "unsupported_grant_type");
  CHECK(world.token({}).text("error") == "invalid_request");
  CHECK(world.token({{"grant_type", "refresh_token"}}, World::basic("api")).text("error") == "unauthorized_client");
  CHECK(world.token({{"grant_type", "refresh_token"}}).text("error") == "invalid_request");
  CHECK(world.token({{"grant_type", "authorization_code"}, {"code", "x"}}).text("error") == "invalid_request");
  CHECK(world.token({{"grant_type", "client_credentials"}, {"scope", "admin"}}).text("error") == "invalid_scope");
}

TEST_CASE("a token is introspected by whom it is for, and by its client") {
  World world;
  const Answered tokens = world.login();
  const std::string access = tokens.text("access_token"), refresh = tokens.text("refresh_token");

  const Answered out = world.introspect(access);
  CHECK(out.flag("active"));
  CHECK(out.text("sub") == "ann");
  CHECK(out.text("client_id") == "app");
  CHECK(out.text("token_type") == "Bearer");
  CHECK_THAT(out.body, Catch::Contains("\"iat\":1800000000,"));
  CHECK(world.introspect(access, "app").flag("active"));
  CHECK(world.introspect(refresh, "app").flag("active"));
  CHECK(world.introspect(refresh, "app").text("sub") == "ann");
  CHECK_FALSE(world.introspect(refresh).flag("active"));
  CHECK_FALSE(world.introspect(access + "A").flag("active"));
  CHECK_FALSE(world.introspect("x").flag("active"));
  CHECK(world.post("/oauth2/introspect", {{"token", access}, {"client_id", "native"}}).status == 401);
  CHECK(world.post("/oauth2/introspect", {{"token", access}}).status == 401);
  CHECK(world.introspect("").text("error") == "invalid_request");
  world.now += seconds(300);
  CHECK_FALSE(world.introspect(access).flag("active"));
}

TEST_CASE("a token that is revoked is inactive, and only its client revokes it") {
  World world;
  const Answered tokens = world.login();
  const std::string access = tokens.text("access_token"), refresh = tokens.text("refresh_token");
  const auto revoke = [&](const std::string& token, const std::string& client) {
    return world.post("/oauth2/revoke", {{"token", token}}, World::basic(client)).status;
  };

  CHECK(revoke(access, "api") == 400);
  CHECK(revoke(refresh, "api") == 400);
  CHECK(revoke("x", "app") == 200);
  CHECK(world.introspect(access).flag("active"));
  CHECK(revoke(access, "app") == 200);
  CHECK_FALSE(world.introspect(access).flag("active"));
  CHECK(revoke(refresh, "app") == 200);
  CHECK(world.token({{"grant_type", "refresh_token"}, {"refresh_token", refresh}}).status == 400);
}

TEST_CASE("keys change, and the old ones stay as long as their tokens") {
  World world(", keys: {rotation_period: 10s}");
  const std::string first = world.token({{"grant_type", "client_credentials"}}).text("access_token");
  const auto keys = [&] {
    std::vector<std::string> skipped;
    std::string error;
    return jwt::KeySet::parse(world.request("GET", "/oauth2/jwks", {}).body, skipped, error)->keys().size();
  };
  CHECK(keys() == 1);

  world.pass(seconds(6));
  CHECK(keys() == 2);
  CHECK(verified(world, world.token({{"grant_type", "client_credentials"}}).text("access_token")).kid ==
        verified(world, first).kid);
  world.pass(seconds(6));
  CHECK(verified(world, world.token({{"grant_type", "client_credentials"}}).text("access_token")).kid !=
        verified(world, first).kid);
  world.pass(seconds(320));
  CHECK(keys() > 2);
  CHECK_THAT(world.request("GET", "/oauth2/jwks", {}).body,
             !Catch::Contains(std::get<jwt::Token>(jwt::parse(first)).kid));
}

TEST_CASE("a key of another algorithm comes behind those that are published, and once") {
  World world(", keys: {rotation_period: 10s}");
  const auto keys = [&] {
    std::vector<std::string> skipped;
    std::string error;
    return jwt::KeySet::parse(world.request("GET", "/oauth2/jwks", {}).body, skipped, error)->keys().size();
  };
  const auto algorithm = [&] {
    return verified(world, world.token({{"grant_type", "client_credentials"}}).text("access_token")).algorithm;
  };
  world.pass(seconds(6));
  REQUIRE(keys() == 2);  // of which the second does not sign so far

  const std::string rules = ", keys: {rotation_period: 10s, algorithm: RS256}}\n";
  world.filter = world.compile("{issuer: https://as.example, store: {path: " + world.store + "}" + rules, kClients);
  world.pass(seconds(3));
  CHECK(keys() == 3);
  CHECK(algorithm() == jwt::Algorithm::kEs256);
  world.pass(seconds(3));
  CHECK(algorithm() == jwt::Algorithm::kRs256);
}

TEST_CASE("what a configuration says holds as long as it is there, and the last one's first") {
  World world(", limits: {codes: 1}");
  const auto codes = [&] {
    world.subject = "ann";
    const Answered out = world.request("GET", "/oauth2/authorize?" + formOf(World::authorization()), {});
    return out.header("location").find("temporarily_unavailable") == std::string::npos;
  };
  const std::string head = "{issuer: https://as.example, store: {path: " + world.store + "}";
  CHECK(codes());
  CHECK_FALSE(codes());

  // It is compiled, and gone before it serves.
  world.compile(head + ", limits: {codes: 2}}\n", kClients).reset();
  world.settle();
  CHECK_FALSE(codes());
  const auto next = world.compile(head + ", limits: {codes: 2}}\n", kClients);
  CHECK(codes());
  CHECK_FALSE(codes());
}

TEST_CASE("who goes while they wait hears nothing, and what they asked for stands") {
  World world;
  const Parameters exchange = {{"grant_type", "authorization_code"},
                               {"code", world.code()},
                               {"redirect_uri", kReturn},
                               {"code_verifier", kVerifier}};
  Fields fields = World::basic();
  fields.push_back({"content-type", "application/x-www-form-urlencoded"});
  const auto asks = [&](Harness& h) {
    h.stream.shared_worker = &world.worker;
    h.stream.info().start_time = world.now;
    h.stream.request().path = "/oauth2/token";
    h.request("POST", fields, false);
    h.runner->requestData(formOf(exchange), true);
    CHECK(h.client.heads == 0);
  };

  SECTION("before it is decided") {
    {
      Harness h({world.filter});
      asks(h);
    }
    world.settle();
  }
  SECTION("before it is written") {
    {
      Harness h({world.filter});
      asks(h);
      world.worker.runMain();
    }
    world.settle();
  }
  SECTION("before it is told") {
    {
      Harness h({world.filter});
      asks(h);
      world.worker.runMain();
      world.server->runOne();
      world.loop.turn();
    }
    world.worker.loop.turn();
  }
  const Answered again = world.token(exchange);
  CHECK(again.text("error") == "invalid_grant");
  CHECK(world.counts["reused"] == 1);
}

TEST_CASE("who waits is answered although the configuration is another one by then") {
  World world;
  Fields fields = World::basic();
  fields.push_back({"content-type", "application/x-www-form-urlencoded"});
  Harness h({world.filter});
  h.stream.shared_worker = &world.worker;
  h.stream.info().start_time = world.now;
  h.stream.request().path = "/oauth2/token";
  h.request("POST", fields, false);
  h.runner->requestData("grant_type=client_credentials", true);
  CHECK(h.client.heads == 0);

  world.filter.reset();
  world.settle();
  CHECK(h.client.status == 200);
}

TEST_CASE("a store that is open is not sealed by another key") {
  World world;
  const std::string key = world.folder.write("key", std::string(64, 'a'));
  CHECK_FALSE(world.FilterWorld::compile(
      "{issuer: https://as.example, store: {path: " + world.store + ", key_file: " + key +
      "}, clients: [{id: c, audiences: [a], grant_types: [client_credentials], secrets: [{sha256: "
      "d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272}]}]}"));
  CHECK_THAT(world.problems(), Catch::Contains("store.key_file: is not the key by which"));
}

// No file of this process gets larger than that, for as long as it lives.
struct FullDisk {
  explicit FullDisk(size_t bytes) : handler(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
  void (*const handler)(int);
  rlimit before{};
};

TEST_CASE("a store that cannot be written grants nothing until it could be read again") {
  World world;
  const std::string code = world.code();
  const Parameters exchange = {
      {"grant_type", "authorization_code"}, {"code", code}, {"redirect_uri", kReturn}, {"code_verifier", kVerifier}};

  Answered failed;
  {
    const FullDisk full(std::filesystem::file_size(world.store) + 10);
    failed = world.token(exchange);
  }
  CHECK(failed.status == 503);
  CHECK(failed.header("retry-after") == "1");
  CHECK(world.token({{"grant_type", "client_credentials"}}).status == 503);
  world.pass(seconds(1));

  // Nothing of it was kept, so the code still holds.
  CHECK(world.token(exchange).status == 200);
  CHECK(world.counts["unavailable"] == 2);
}

TEST_CASE("what is acknowledged outlasts the process") {
  World world;
  const std::string refresh = world.login().text("refresh_token"), code = world.code();
  world.filter.reset();
  world.settle();
  world.server.reset();

  auto journal = Journal::open({.path = world.store}, kNow);
  REQUIRE(journal.ok());
  const State state = (*journal)->takeState();
  CHECK(state.logins() == 1);
  CHECK(state.code(filter::digestOf(code)) != nullptr);
  const std::string bytes = test::contentOf(world.store);
  CHECK(bytes.find(code) == std::string::npos);
  CHECK(bytes.find(refresh) == std::string::npos);
}

TEST_CASE("a server tells what it can") {
  World world;
  const Answered out = world.request("GET", "/.well-known/oauth-authorization-server", {});
  CHECK(out.status == 200);
  CHECK(out.text("issuer") == "https://as.example");
  CHECK(out.text("token_endpoint") == "https://as.example/oauth2/token");
  CHECK(out.text("jwks_uri") == "https://as.example/oauth2/jwks");
  CHECK(out.flag("authorization_response_iss_parameter_supported"));
  CHECK(world.request("HEAD", "/oauth2/jwks", {}).status == 200);
  CHECK(world.request("POST", "/oauth2/jwks", {}).status == 405);
}

TEST_CASE("a wrong configuration is refused with the place of it") {
  struct Checked : filter::testing::FilterWorld<v1::OAuth2Server> {
    Checked() : FilterWorld(registerFactory) {}
  };
  const auto problems = [](const std::string& more, const std::string& issuer = "https://as.example") {
    Checked world;
    CHECK_FALSE(world.compile("{issuer: '" + issuer + "', store: {path: /nowhere/store}" + more + "}"));
    return world.problems();
  };
  const auto client = [&](const std::string& fields) {
    return problems(", clients: [{id: c, audiences: [a], " + fields + "}]");
  };
  const std::string secret = "secrets: [{sha256: d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272}], ";
  const std::string good = ", clients: [{id: c, audiences: [a], " + secret + "grant_types: [client_credentials]}]";
  Checked fine;
  CHECK(fine.compile("{issuer: https://as.example, store: {path: /nowhere/store}" + good + "}"));
  CHECK(fine.problems().empty());

  for (const char* issuer : {"as.example", "http://as.example", "https://as.example/", "https://as.example?x",
                             "https://", "https://u@as.example", "ftp://as.example"}) {
    INFO(issuer);
    CHECK_THAT(problems(good, issuer), Catch::Contains("issuer:"));
  }
  CHECK_THAT(problems(""), Catch::Contains("has no clients"));
  CHECK_THAT(problems(good + ", paths: {token: token}"), Catch::Contains("paths.token: is no path"));
  CHECK_THAT(problems(good + ", paths: {token: /a, revoke: /a}"), Catch::Contains("paths.revoke: is another one's"));
  CHECK_THAT(problems(good + ", client_file: {inline_string: x}"), Catch::Contains("client_file: is no file"));
  CHECK_THAT(problems(good + ", keys: {algorithm: HS256}"), Catch::Contains("keys.algorithm"));
  CHECK_THAT(problems(good + ", keys: {rotation_period: 9s}"), Catch::Contains("keys.rotation_period: is too short"));
  CHECK_THAT(problems(good + ", reuse_grace: 61s"), Catch::Contains("reuse_grace"));
  CHECK_THAT(client("grant_types: [password]"), Catch::Contains("grant_types"));
  CHECK_THAT(client("secrets: [{prefix: ses}], grant_types: [client_credentials]"), Catch::Contains("prefix"));
  const std::string open = client("secrets: [{sha256: sesame}], grant_types: [client_credentials]");
  CHECK_THAT(open, Catch::Contains("clients[0].secrets[0].sha256: is no SHA-256") && !Catch::Contains("sesame"));
  CHECK_THAT(client("secrets: [{sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}], "
                    "grant_types: [client_credentials]"),
             Catch::Contains("secrets[0].sha256: is the SHA-256 of nothing"));
  CHECK_THAT(client("grant_types: [client_credentials]"), Catch::Contains("grant_types: has client_credentials, but"));
  CHECK_THAT(client(secret + "grant_types: [authorization_code]"), Catch::Contains("redirect_uris: is empty"));
  CHECK_THAT(client(secret + "grant_types: [client_credentials], redirect_uris: ['https://a/']"),
             Catch::Contains("redirect_uris: is for authorization_code"));
  CHECK_THAT(client(secret + "grant_types: [refresh_token]"), Catch::Contains("without authorization_code"));
  CHECK_THAT(client(secret + "grant_types: [authorization_code], redirect_uris: ['http://a/']"),
             Catch::Contains("redirect_uris[0]: is sent in the clear"));
  CHECK_THAT(client(secret + "certificate: {dns_san: x}, grant_types: [client_credentials]"),
             Catch::Contains("in one way"));
  CHECK_THAT(client(secret + "grant_types: [client_credentials], scopes: ['a b']"), Catch::Contains("scopes[0]"));
  CHECK_THAT(problems(", clients: [{id: c, grant_types: [client_credentials], " + secret + "audiences: [a]}, {id: c, " +
                      "grant_types: [client_credentials], " + secret + "audiences: [a]}]"),
             Catch::Contains("clients[1].id: is that of another"));
}

TEST_CASE("a store that cannot be had is refused with its reason") {
  World world;
  const std::string clients =
      ", clients: [{id: c, audiences: [a], grant_types: [client_credentials], secrets: [{sha256: "
      "d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272}]}]}";
  const std::string bad = world.folder.write("bad", "not a store, whatever its name is");
  ::chmod(bad.c_str(), 0600);
  CHECK_FALSE(world.FilterWorld::compile("{issuer: https://as.example, store: {path: " + bad + "}" + clients));
  CHECK_THAT(world.problems(), Catch::Contains("store.path: ") && Catch::Contains("is no store"));
  const std::string key = world.folder.write("key", "short");
  World other;
  CHECK_FALSE(other.FilterWorld::compile("{issuer: https://as.example, store: {path: " + world.folder.path() +
                                         "/new, key_file: " + key + "}" + clients));
  CHECK_THAT(other.problems(), Catch::Contains("store.key_file: holds no key"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.filter}; };
  suite.max_runs = 5000;

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2_server
