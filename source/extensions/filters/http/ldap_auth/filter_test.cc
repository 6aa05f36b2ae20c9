#include "source/extensions/filters/http/ldap_auth/filter.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "sluice/extensions/filters/http/ldap_auth/v1/ldap_auth.pb.h"
#include "source/extensions/filters/http/ldap_auth/factory.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::ldap_auth::v1;
using filter::testing::Fields;
using filter::testing::Harness;
using Kind = Answer::Kind;

// Without threads: the test does its work.
constexpr worker::ThreadPool::Size kPoolSize{.threads = 0, .max_waiting = 2, .max_waiting_each = 1};

// Knows ali, whose password is "sesame".
struct FakeDirectory : Directory {
  Answer check(std::string_view user, std::string_view password, const std::string& secret) override {
    ++asked;
    secret_shown = secret;
    if (!is_up) return {Kind::kUnavailable, {}, {}, {}};
    if (is_broken) return {Kind::kError, {}, {}, {}};
    if (user != "ALI" || password != "sesame") return {Kind::kWrong, {}, {}, {}};
    return {Kind::kRight, "uid=ali,dc=x", "ali", {"staff", "beta"}};
  }
  void stop() override { is_stopped = true; }

  int asked = 0;
  bool is_up = true, is_broken = false, is_stopped = false;
  std::string secret_shown;
};

struct World : filter::testing::FilterWorld<v1::LdapAuth, v1::LdapAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.ldap_auth.") {
    forget();
    settings.forward_header = "x-user";
    settings.challenge = "Basic realm=\"directory\"";
    const auto counter = [&](const char* name) { return holding.stats().counter(prefix + name); };
    settings.allowed = counter("allowed");
    settings.unauthorized = counter("unauthorized");
    settings.forbidden = counter("forbidden");
    settings.error = counter("error");
    settings.unavailable = counter("unavailable");
    settings.overflow = counter("overflow");
  }

  void forget() { settings.logins = std::make_shared<Logins>(directory, pool, slots, std::chrono::seconds(60)); }

  worker::LocalSlots slots;
  const std::shared_ptr<FakeDirectory> directory = std::make_shared<FakeDirectory>();
  const std::shared_ptr<worker::ThreadPool> pool = std::make_shared<worker::ThreadPool>(kPoolSize);
  Settings settings;
};

Fields basic(const std::string& login, const std::string& scheme = "Basic") {
  return {{"authorization", scheme + " " + absl::Base64Escape(login)}};
}

// Requests on one worker.
struct Asked {
  Harness& next(const std::string& route_yaml = "") {
    if (factory == nullptr) factory = std::make_shared<FilterFactory>(world.settings);
    const auto route = route_yaml.empty() ? nullptr : world.compileRoute("{" + route_yaml + "}");
    h.emplace(std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{factory}, std::vector{route});
    h->stream.shared_worker = &worker;
    return *h;
  }
  void runPool() {
    world.pool->runOne();
    worker.loop.settle();
  }
  // "" if it came through.
  std::string refusal(const Fields& fields, const std::string& route = "") {
    next(route).request("GET", fields, true);
    runPool();
    if (h->terminal.heads == 1) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  std::string identity(const std::vector<std::string>& path) {
    const auto* value = h->stream.info().metadata().find(stream::kIdentityMetadata, path);
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }
  int asked() const { return world.directory->asked; }

  World world;
  worker::testing::TestWorker worker;
  std::shared_ptr<const FilterFactory> factory;
  std::optional<Harness> h;
};

TEST_CASE("whom the directory lets in goes on, with who it is") {
  Asked asked;
  CHECK(asked.refusal(basic("ALI:sesame")).empty());

  CHECK(asked.identity({"method"}) == "ldap");
  CHECK(asked.identity({"subject"}) == "ali");
  CHECK(asked.identity({"consumer"}) == "ali");
  CHECK(asked.identity({"claims", "dn"}) == "uid=ali,dc=x");
  const auto* groups = asked.h->stream.info().metadata().find(stream::kIdentityMetadata, {"groups"});
  REQUIRE(groups);
  CHECK(std::get<stream::MetadataList>(groups->value).size() == 2);
  CHECK(asked.counted("allowed") == 1);
}

TEST_CASE("whom it does not let in is answered 401 with what to show") {
  Asked asked;
  CHECK(asked.refusal(basic("ALI:sesam")) == "401 invalid_credential_for_ldap_auth");
  CHECK(asked.refusal({}) == "401 no_credential_for_ldap_auth");
  CHECK(asked.refusal({{"authorization", "Bearer x"}}) == "401 invalid_scheme_for_ldap_auth");
  CHECK(asked.refusal({{"authorization", "Basic !"}}) == "401 invalid_format_for_ldap_auth");
  Fields twice = basic("ALI:sesame");
  twice.push_back(twice.front());
  CHECK(asked.refusal(twice) == "401 multiple_credentials_for_ldap_auth");

  const Fields& fields = asked.h->client.headers;
  const std::pair<std::string, std::string> due{"www-authenticate", "Basic realm=\"directory\""};
  CHECK(std::find(fields.begin(), fields.end(), due) != fields.end());
  CHECK(asked.counted("unauthorized") == 1);
  CHECK(asked.identity({"method"}).empty());
}

TEST_CASE("what cannot be right does not reach the directory, an empty password above all") {
  Asked asked;
  for (const std::string& login :
       {std::string("ALI:"), std::string(":sesame"), std::string(" ALI:sesame"), std::string("ALI :sesame"),
        std::string("A\0I:sesame", 10), std::string("A\nI:sesame"), std::string(257, 'a') + ":x",
        "ALI:" + std::string(4097, 'a')}) {
    CHECK(asked.refusal(basic(login)) == "401 invalid_credential_for_ldap_auth");
  }
  CHECK(asked.asked() == 0);
}

TEST_CASE("a login that was right is remembered for as long as it is said, and a wrong one shortly") {
  Asked asked;
  for (int i = 0; i < 2; ++i) {
    CHECK(asked.refusal(basic("ALI:sesame")).empty());
    CHECK(asked.identity({"subject"}) == "ali");
    CHECK(asked.refusal(basic("ALI:wrong")) == "401 invalid_credential_for_ldap_auth");
  }
  CHECK(asked.asked() == 2);

  asked.worker.loop.pass(LoginMemory::kWrongTtl);
  CHECK(asked.refusal(basic("ALI:sesame")).empty());
  CHECK(asked.asked() == 2);
  CHECK(asked.refusal(basic("ALI:wrong")) == "401 invalid_credential_for_ldap_auth");
  CHECK(asked.asked() == 3);

  asked.worker.loop.pass(std::chrono::seconds(60));
  CHECK(asked.refusal(basic("ALI:sesame")).empty());
  CHECK(asked.asked() == 4);
}

TEST_CASE("a worker remembers a bounded number of logins, and wrong ones drive no right one out") {
  World world;
  worker::testing::TestWorker worker, other;
  const LoginMemory& memory = world.settings.logins->memory();
  const auto login = [](size_t i) { return filter::Login{"a:" + std::to_string(i), 1}; };
  const auto account = std::make_shared<Account>();

  memory.remember(login(0), account, worker);
  for (size_t i = 1; i < LoginMemory::kMaxLogins + 100; ++i) memory.remember(login(i), nullptr, worker);

  REQUIRE(memory.find(login(0), worker));
  CHECK(memory.find(login(0), worker)->account == account);
  CHECK_FALSE(memory.find(login(0), other));
  size_t wrong = 0;
  for (size_t i = 1; i < LoginMemory::kMaxLogins + 100; ++i) wrong += memory.find(login(i), worker) != nullptr;
  CHECK(wrong == LoginMemory::kMaxLogins);
}

TEST_CASE("what the directory cannot say is 503, and not remembered") {
  Asked asked;
  asked.world.directory->is_up = false;
  CHECK(asked.refusal(basic("ALI:sesame")) == "503 ldap_auth_unavailable");
  CHECK(asked.counted("unavailable") == 1);
  asked.world.directory->is_up = true;
  asked.world.directory->is_broken = true;
  CHECK(asked.refusal(basic("ALI:sesame")) == "503 ldap_auth_error");
  CHECK(asked.counted("error") == 1);
  asked.world.directory->is_broken = false;
  CHECK(asked.refusal(basic("ALI:sesame")).empty());
}

TEST_CASE("a route may be for some groups") {
  Asked asked;
  CHECK(asked.refusal(basic("ALI:sesame"), "allowed_groups: [staff]").empty());
  CHECK(asked.refusal(basic("ALI:sesame"), "allowed_groups: [admins]") == "403 user_not_allowed");
  CHECK(asked.counted("forbidden") == 1);
  CHECK(asked.identity({"method"}).empty());
  CHECK(asked.refusal(basic("ALI:sesame"), "denied_groups: [beta]") == "403 user_not_allowed");
}

TEST_CASE("a host is told the name, whatever the request says of it, and the password only if it may") {
  Asked asked;
  asked.world.settings.hide_credentials = true;
  Fields fields = basic("ALI:sesame");
  for (const char* name : {"x-user", "x_user", "x.user"}) fields.push_back({name, "root"});
  CHECK(asked.refusal(fields).empty());
  CHECK(asked.h->terminal.headers == Fields{{"x-user", "ali"}});
}

TEST_CASE("where nobody may come in as nobody, wrong passwords are refused and no name is believed") {
  Asked asked;
  asked.world.settings.allow_missing = true;
  CHECK(asked.refusal({{"x-user", "root"}, {"authorization", "Bearer x"}}).empty());
  CHECK(asked.h->terminal.headers == Fields{{"authorization", "Bearer x"}});
  CHECK(asked.refusal({}).empty());
  CHECK(asked.identity({"method"}).empty());
  CHECK(asked.refusal(basic("ALI:x")) == "401 invalid_credential_for_ldap_auth");
}

TEST_CASE("a request of nobody is refused where a route is for some groups") {
  Asked asked;
  asked.world.settings.allow_missing = true;
  CHECK(asked.refusal({}, "allowed_groups: [staff]") == "401 no_credential_for_ldap_auth");
  CHECK(asked.refusal({{"authorization", "Bearer x"}}, "allowed_groups: [staff]") ==
        "401 invalid_scheme_for_ldap_auth");
  CHECK(asked.counted("unauthorized") == 1);
  CHECK(asked.refusal({}, "denied_groups: [staff]").empty());
  CHECK(asked.refusal(basic("ALI:sesame"), "allowed_groups: [staff]").empty());
}

TEST_CASE("the scheme may be another one") {
  Asked asked;
  asked.world.settings.scheme = "ldap";
  CHECK(asked.refusal(basic("ALI:sesame", "LDAP")).empty());
  CHECK(asked.refusal(basic("ALI:sesame")) == "401 invalid_scheme_for_ldap_auth");
}

TEST_CASE("the service's password goes along, and as long as there is none nobody is let in") {
  Asked asked;
  const auto secret = std::make_shared<worker::Exchanged<std::string>>(asked.world.slots);
  asked.world.settings.secret = secret;
  CHECK(asked.refusal(basic("ALI:sesame")) == "503 ldap_auth_no_secret");
  secret->set(std::make_shared<std::string>("s3cr3t"));
  CHECK(asked.refusal(basic("ALI:sesame")).empty());
  CHECK(asked.world.directory->secret_shown == "s3cr3t");
}

TEST_CASE("where too many of a client wait the answer is 503, and others get in") {
  Asked asked;
  asked.next().stream.info().downstream_remote_address = "1.2.3.4:1";
  asked.h->request("GET", basic("ALI:guessed"), true);
  Harness second({asked.factory}), other({asked.factory});
  second.stream.shared_worker = other.stream.shared_worker = &asked.worker;
  second.stream.info().downstream_remote_address = "1.2.3.4:2";
  other.stream.info().downstream_remote_address = "1.2.3.5:1";

  second.request("GET", basic("ALI:sesame"), true);
  other.request("GET", basic("ALI:sesame"), true);
  for (int i = 0; i < 2; ++i) asked.runPool();

  CHECK(second.client.status == 503);
  CHECK(second.stream.info().response_code_details == "ldap_auth_overflow");
  CHECK(other.terminal.heads == 1);
}

TEST_CASE("requests with the same login wait for one answer, as long as one of them waits") {
  Asked asked;
  asked.next();
  Harness second({asked.factory}), third({asked.factory}), other({asked.factory});
  for (Harness* each : {&second, &third, &other}) each->stream.shared_worker = &asked.worker;
  asked.h->request("GET", basic("ALI:sesame"), true);
  second.request("GET", basic("ALI:sesame"), true);
  third.request("GET", basic("ALI:sesame"), true);
  other.stream.info().downstream_remote_address = "1.2.3.5:1";
  other.request("GET", basic("ALI:sesam"), true);
  CHECK(asked.world.pool->waiting() == 2);

  asked.h.reset();
  for (int i = 0; i < 2; ++i) asked.runPool();

  CHECK(asked.asked() == 2);
  CHECK(second.terminal.heads == 1);
  CHECK(third.terminal.heads == 1);
  CHECK(other.client.status == 401);
}

TEST_CASE("a request that ends takes its login out of the queue, and nothing comes of one that was tried") {
  Asked asked;
  asked.next().request("GET", basic("ALI:sesame"), true);
  asked.h.reset();
  CHECK(asked.world.pool->waiting() == 0);

  asked.next().request("GET", basic("ALI:sesame"), true);
  asked.world.pool->runOne();
  asked.h.reset();
  asked.worker.loop.settle();
}

TEST_CASE("a directory is stopped when its filter is gone") {
  World world;
  std::optional<Settings> settings = std::move(world.settings);
  settings.reset();
  CHECK(world.directory->is_stopped);
}

const std::string kServers = "servers: ['ldap://a.example', 'ldap://[::1]:3389/']";
const std::string kDirect = ", direct_bind: {attribute: uid, base_dn: 'ou=people,dc=x'}";
const std::string kSearch = ", search_bind: {base_dn: 'dc=x', filter: '(uid={user})'}";

std::string problems(const std::string& yaml) {
  World world;
  CHECK_FALSE(world.compile("{" + yaml + "}"));
  return world.problems();
}

TEST_CASE("each way to find users, and their groups, may be configured") {
  const test::ScratchFolder folder;
  const std::string ca = folder.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
  for (const std::string& yaml :
       {kServers + kDirect, kServers + kSearch,
        kServers + kDirect + ", tls: {start_tls: true, trusted_ca_filename: " + ca + "}",
        "servers: ['LDAPS://a', 'ldap://b']" + kDirect + ", tls: {accept_untrusted: true}",
        "servers: ['ldaps://localhost']" + kDirect + ", tls: {accept_untrusted: true}",
        "servers: ['ldap://localhost']" + kDirect,
        kServers + ", search_bind: {bind_dn: cn=s, password: {name: p}, base_dn: dc=x, filter: '(a={user})', scope: "
                   "ONE_LEVEL}",
        kServers + kDirect + ", groups: {member_of: {base_dn: 'ou=groups,dc=x'}}, cache_ttl: 0s, timeout: 0.5s",
        kServers + kDirect + ", groups: {search: {base_dn: dc=x, filter: '(memberUid={user})'}}, scheme: ldap"}) {
    World world;
    CHECK(world.compile("{" + yaml + "}"));
    CHECK(world.problems().empty());
  }
}

TEST_CASE("wrong configurations are refused with what to do") {
  for (const char* server : {"a", "ldapi://x", "http://a", "ldap://", "ldap://a:0", "ldap://a:65536", "ldap://a:x",
                             "ldap://a/dc=x", "ldap://u@a", "ldap://::1", "ldap://a:+1", "ldap://[a]"}) {
    INFO(server);
    CHECK_THAT(problems("servers: ['" + std::string(server) + "']" + kDirect),
               Catch::Contains("servers[0]: is no server; write ldap://HOST:PORT"));
  }
  CHECK_THAT(problems(kServers), Catch::Contains("user_entry"));
  CHECK_THAT(problems("servers: []" + kDirect), Catch::Contains("servers"));
  CHECK_THAT(problems("servers: ['ldaps://a']" + kDirect), Catch::Contains("tls: needs trusted_ca_filename"));
  CHECK_THAT(problems("servers: ['ldaps://a']" + kDirect + ", tls: {start_tls: true, accept_untrusted: true}"),
             Catch::Contains("tls.start_tls: is for ldap://"));
  CHECK_THAT(problems(kServers + kDirect + ", tls: {accept_untrusted: true}"), Catch::Contains("tls: has no effect"));
  CHECK_THAT(problems("servers: ['ldaps://LocalHost']" + kDirect + ", tls: {trusted_ca_filename: /none}"),
             Catch::Contains("tls: cannot tell whether a certificate is for localhost (LocalHost:636)"));
  CHECK_THAT(problems(kServers + kDirect + ", tls: {start_tls: true, trusted_ca_filename: /none}"),
             Catch::Contains("trusted_ca_filename"));
  CHECK_THAT(problems(kServers + kDirect + ", tls: {start_tls: true, trusted_ca_filename: /dev/null}"),
             Catch::Contains("has no certificate in PEM"));
  CHECK_THAT(problems(kServers + ", direct_bind: {attribute: uid, base_dn: people}"),
             Catch::Contains("direct_bind.base_dn: is no DN"));
  CHECK_THAT(problems(kServers + ", direct_bind: {attribute: 'uid=', base_dn: dc=x}"), Catch::Contains("attribute"));
  CHECK_THAT(problems(kServers + ", search_bind: {base_dn: dc=x, filter: 'uid={user}'}"),
             Catch::Contains("search_bind.filter: has no \"(\""));
  CHECK_THAT(problems(kServers + ", search_bind: {bind_dn: dc=y, base_dn: dc=x, filter: '(uid={user})'}"),
             Catch::Contains("search_bind: needs both bind_dn and password"));
  CHECK_THAT(problems(kServers + kDirect + ", groups: {search: {base_dn: dc=x, filter: '(cn=x)'}}"),
             Catch::Contains("groups.search.filter: names neither {dn} nor {user}"));
  CHECK_THAT(problems(kServers + kDirect + ", groups: {member_of: {base_dn: x}}"),
             Catch::Contains("groups.member_of.base_dn: is no DN"));
  CHECK_THAT(problems(kServers + kDirect + ", realm: 'a\"b'"), Catch::Contains("realm"));
  CHECK_THAT(problems(kServers + kDirect + ", scheme: 'a b'"), Catch::Contains("scheme"));
  CHECK_THAT(problems(kServers + kDirect + ", forwarding: {header: Authorization}"),
             Catch::Contains("is where passwords are"));
  CHECK_THAT(problems(kServers + kDirect + ", max_concurrent_logins: 65"), Catch::Contains("max_concurrent_logins"));
  CHECK_THAT(problems(kServers + kDirect + ", failure_mode_allow: true"), Catch::Contains("failure_mode_allow"));
  World world;
  CHECK_FALSE(world.compileRoute("{allowed_groups: ['']}"));
}

TEST_CASE("it passes the interleaving suite while a thread asks") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] {
    world.forget();
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{
        std::make_shared<FilterFactory>(world.settings)};
  };
  suite.request.headers = basic("ALI:sesame");
  suite.pool = world.pool.get();
  suite.max_runs = 5000;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::ldap_auth
