#include "source/extensions/filters/http/basic_auth/filter.h"

#include <catch2/catch.hpp>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "envoy/extensions/filters/http/basic_auth/v3/basic_auth.pb.h"
#include "source/extensions/filters/http/basic_auth/factory.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::basic_auth {
namespace {

namespace v3 = envoy::extensions::filters::http::basic_auth::v3;
using filter::testing::Fields;
using filter::testing::Harness;

// Passwords are "sesame".
const std::string kSha = "{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw=";
const std::string kBcrypt = "$2b$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW";

std::string users(const std::string& text) {
  return "users: {inline_string: \"" + text + "\"}";
}
const std::string kFast = users("ali:" + kSha);
const std::string kSlow = users("ali:" + kBcrypt + "\\nfast:" + kSha);

Fields basic(const std::string& login, const std::string& header = "authorization") {
  return {{header, "Basic " + absl::Base64Escape(login)}};
}

// Without threads: the test does its work.
constexpr worker::ThreadPool::Size kPoolSize{.threads = 0, .max_waiting = 2, .max_waiting_each = 1};

struct World : filter::testing::FilterWorld<v3::BasicAuth, v3::BasicAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.basic_auth.") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
  auto compileRoute(const std::string& fields) { return FilterWorld::compileRoute("{" + fields + "}"); }

  const std::shared_ptr<worker::ThreadPool> pool = services.objects.get<worker::ThreadPool>(
      "password hashes", [] { return std::make_shared<worker::ThreadPool>(kPoolSize); });
};

// One request through a filter.
struct Asked {
  explicit Asked(const std::string& yaml, const std::string& route_yaml = "")
      : factory(world.compile(yaml)), route(route_yaml.empty() ? nullptr : world.compileRoute(route_yaml)) {
    INFO(world.problems());
    REQUIRE(world.errors.empty());
    again();
  }
  // Another request, on the same worker.
  void again() {
    h.emplace(std::vector{factory}, std::vector{route});
    h->stream.shared_worker = &worker;
    h->stream.request().path = "/p?q=1";
    h->stream.request().scheme = "http";
    h->stream.request().authority = "a.example";
  }
  void send(const Fields& fields) { h->request("GET", fields, true); }
  void runPool() {
    world.pool->runOne();
    worker.loop.settle();
  }
  bool passed() const { return h->terminal.heads == 1; }
  // "" if it came through.
  std::string refusal(const Fields& fields) {
    send(fields);
    runPool();
    if (passed()) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  std::string metadata(std::string_view filter, const std::string& key) {
    const auto* value = h->stream.info().metadata().find(filter, {key});
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  worker::testing::TestWorker worker;
  const std::shared_ptr<const filter::HttpFilterFactory> factory;
  const std::shared_ptr<const route::PerFilterConfig> route;
  std::optional<Harness> h;
};

std::string refusal(const std::string& yaml, const Fields& fields, const std::string& route = "") {
  return Asked(yaml, route).refusal(fields);
}

TEST_CASE("the right name and password let in, with who it is") {
  for (const std::string& yaml : {kFast, kSlow}) {
    Asked asked(yaml);
    CHECK(asked.refusal(basic("ali:sesame")).empty());
    CHECK(asked.metadata(stream::kIdentityMetadata, "method") == "basic");
    CHECK(asked.metadata(stream::kIdentityMetadata, "subject") == "ali");
    CHECK(asked.metadata(stream::kIdentityMetadata, "consumer") == "ali");
    CHECK(asked.metadata("envoy.filters.http.basic_auth", "username").empty());
    CHECK(asked.counted("allowed") == 1);
  }
}

TEST_CASE("everything else is answered 401") {
  for (const std::string& yaml : {kFast, kSlow}) {
    for (const char* wrong : {"ali:sesam", "ali:", "Ali:sesame", "nobody:sesame", ":sesame", "ali :sesame"}) {
      INFO(wrong);
      CHECK(refusal(yaml, basic(wrong)) == "401 invalid_credential_for_basic_auth");
    }
    CHECK(refusal(yaml, {}) == "401 no_credential_for_basic_auth");
    CHECK(refusal(yaml, {{"authorization", "Bearer x"}}) == "401 invalid_scheme_for_basic_auth");
    CHECK(refusal(yaml, {{"authorization", ""}}) == "401 invalid_scheme_for_basic_auth");
    CHECK(refusal(yaml, {{"authorization", "Basic !"}}) == "401 invalid_format_for_basic_auth");
    CHECK(refusal(yaml, basic("ali")) == "401 invalid_format_for_basic_auth");
    Fields twice = basic("ali:sesame");
    twice.push_back(twice.front());
    CHECK(refusal(yaml, twice) == "401 multiple_credentials_for_basic_auth");
  }
  CHECK(refusal(users(""), basic("ali:sesame")) == "401 invalid_credential_for_basic_auth");
}

TEST_CASE("a refusal asks for the password of its URL and says nobody's name") {
  for (const std::string& yaml : {kFast, kSlow}) {
    Asked asked(yaml);
    CHECK_FALSE(asked.refusal(basic("ali:x")).empty());

    const Fields& fields = asked.h->client.headers;
    const std::pair<std::string, std::string> due{"www-authenticate", "Basic realm=\"http://a.example/p?q=1\""};
    CHECK(std::find(fields.begin(), fields.end(), due) != fields.end());
    CHECK(asked.counted("denied") == 1);
    CHECK(asked.counted("allowed") == 0);
    CHECK(asked.metadata(stream::kIdentityMetadata, "method").empty());
  }
}

TEST_CASE("a realm cannot be broken out of, and is bounded") {
  Asked asked(kFast);
  const std::string path = "/\"\\" + std::string(1000, 'a');
  asked.h->stream.request().path = path;
  asked.send({});

  const Fields& fields = asked.h->client.headers;
  const std::pair<std::string, std::string> due{
      "www-authenticate", "Basic realm=\"http://a.example/\\\"\\\\" + std::string(253, 'a') + "\""};
  CHECK(std::find(fields.begin(), fields.end(), due) != fields.end());
}

TEST_CASE("a slow hash is not tried on the worker, and once it was right not again") {
  Asked asked(kSlow);
  asked.send(basic("ali:sesame"));
  CHECK_FALSE(asked.passed());
  CHECK(asked.world.pool->waiting() == 1);
  asked.runPool();
  CHECK(asked.passed());

  asked.again();
  asked.send(basic("ali:sesame"));
  CHECK(asked.passed());
  CHECK(asked.world.pool->waiting() == 0);

  asked.again();
  asked.send(basic("ali:sesam"));
  CHECK_FALSE(asked.passed());
  CHECK(asked.world.pool->waiting() == 1);
}

TEST_CASE("a wrong password is tried each time, and so is one of nobody") {
  for (const char* wrong : {"ali:sesam", "nobody:sesame", "nobody:sesam"}) {
    Asked asked(users("ali:" + kBcrypt));
    for (int i = 0; i < 2; ++i) {
      asked.again();
      asked.send(basic(wrong));
      CHECK(asked.world.pool->waiting() == 1);
      asked.runPool();
      CHECK(asked.h->client.status == 401);
    }
  }
}

TEST_CASE("where too many of a client wait the answer is 503, and others get in") {
  Asked first(kSlow);
  Harness second({first.factory}), other({first.factory});
  second.stream.shared_worker = other.stream.shared_worker = &first.worker;
  first.h->stream.info().downstream_remote_address = "1.2.3.4:1";
  second.stream.info().downstream_remote_address = "1.2.3.4:2";
  other.stream.info().downstream_remote_address = "1.2.3.5:1";
  first.send(basic("ali:guessed"));

  second.request("GET", basic("ali:sesame"), true);

  CHECK(second.client.status == 503);
  CHECK(second.stream.info().response_code_details == "basic_auth_overflow");
  CHECK(first.world.counted(second, "overflow") == 1);
  CHECK(first.world.counted(second, "denied") == 0);
  other.request("GET", basic("ali:sesame"), true);
  for (int i = 0; i < 2; ++i) first.runPool();
  CHECK(first.h->client.status == 401);
  CHECK(other.terminal.heads == 1);
}

TEST_CASE("a request that ends takes its password out of the queue, and nothing comes of one that was tried") {
  Asked waits(kSlow);
  waits.send(basic("ali:sesame"));
  waits.h.reset();
  CHECK(waits.world.pool->waiting() == 0);

  Asked tried(kSlow);
  tried.send(basic("ali:sesame"));
  tried.world.pool->runOne();
  tried.h.reset();
  tried.worker.loop.settle();
}

TEST_CASE("a request that was answered meanwhile is not answered again") {
  Asked asked(kSlow);
  asked.send(basic("ali:sesame"));
  asked.h->runner->localReply({504, "", "timeout"});
  asked.runPool();

  CHECK(asked.h->client.heads == 1);
  CHECK(asked.h->client.status == 504);
  CHECK_FALSE(asked.passed());
  CHECK(asked.counted("allowed") == 0);
}

TEST_CASE("a route may have users of its own") {
  const std::string other = users("hermione:" + kSha);
  CHECK(refusal(kFast, basic("hermione:sesame"), other).empty());
  CHECK(refusal(kFast, basic("ali:sesame"), other) == "401 invalid_credential_for_basic_auth");
  CHECK(refusal(kFast, basic("ali:sesame"), kSlow).empty());
}

TEST_CASE("a host is told the name, whatever the request says of it") {
  const std::string forward = ", forward_username_header: X-User, emit_dynamic_metadata: true";
  for (const std::string& yaml : {kFast, kSlow}) {
    Asked asked(yaml + forward);
    CHECK(asked.refusal({{"x-user", "root"}, {"x_user", "root"}, {"x-user", "admin"}, basic("ali:sesame").front()})
              .empty());
    CHECK(asked.h->terminal.headers == Fields{basic("ali:sesame").front(), {"x-user", "ali"}});
    CHECK(asked.metadata("envoy.filters.http.basic_auth", "username") == "ali");
  }
}

TEST_CASE("where nobody may come in as nobody, wrong passwords are refused and no name is believed") {
  const std::string yaml = kFast + ", allow_missing: true, forward_username_header: x-user";
  for (const Fields& fields : {Fields{}, Fields{{"authorization", "Bearer x"}}}) {
    Asked asked(yaml);
    Fields forged = fields;
    forged.emplace_back("x-user", "root");
    forged.emplace_back("x_user", "root");
    CHECK(asked.refusal(forged).empty());
    CHECK(asked.h->terminal.headers == fields);
    CHECK(asked.metadata(stream::kIdentityMetadata, "method").empty());
    CHECK(asked.counted("allowed") == 0);
  }
  CHECK(refusal(yaml, basic("ali:x")) == "401 invalid_credential_for_basic_auth");
  CHECK(refusal(yaml, {{"authorization", "basic x"}}) == "401 invalid_format_for_basic_auth");
}

TEST_CASE("name and password may stand in another header") {
  const std::string yaml = kFast + ", authentication_header: X-Login";
  CHECK(refusal(yaml, basic("ali:sesame", "x-login")).empty());
  CHECK(refusal(yaml, basic("ali:sesame")) == "401 no_credential_for_basic_auth");
}

TEST_CASE("users may stand in a file, whose errors have their line") {
  const test::ScratchFolder folder;
  const std::string path = folder.write("users", "ali:" + kSha + "\n");
  CHECK(
      refusal("users: {filename: " + path + ", watched_directory: {path: " + folder.path() + "}}", basic("ali:sesame"))
          .empty());

  folder.write("users", "ali:" + kSha + "\nhermione:alohomora\n");
  World world;
  CHECK_FALSE(world.compile("users: {filename: " + path + "}"));
  CHECK_THAT(world.problems(), Catch::Contains("users: " + path + ": line 2 has no hash that is known"));
  CHECK_THAT(world.problems(), !Catch::Contains("alohomora"));
}

TEST_CASE("wrong configurations are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK_FALSE(world.compile(yaml));
    return world.problems();
  };
  CHECK_THAT(problems(""), Catch::Contains("users: needs filename"));
  CHECK_THAT(problems("users: {inline_string: x}"), Catch::Contains("users: line 1 has no colon"));
  CHECK_THAT(problems("users: {inline_string: '', watched_directory: {path: /tmp}}"),
             Catch::Contains("users.watched_directory: is for a file"));
  CHECK_THAT(problems(kFast + ", forward_username_header: host"), Catch::Contains("forward_username_header"));
  CHECK_THAT(problems(kFast + ", authentication_header: 'a b'"), Catch::Contains("authentication_header"));
  World world;
  CHECK_FALSE(world.compileRoute(""));
}

// A filter whose users are new, and so remember nothing, in each run.
struct SuiteBed {
  explicit SuiteBed(std::string hash) : hash(std::move(hash)) {
    Settings settings;
    settings.users = source;
    settings.forward_header = "x-user";
    settings.pool = pool;
    settings.allowed = world.holding.stats().counter("allowed");
    settings.denied = world.holding.stats().counter("denied");
    settings.overflow = world.holding.stats().counter("overflow");
    factory = std::make_shared<FilterFactory>(std::move(settings));
    suite.chain = [this] {
      source->set(*Users::parse("ali:" + this->hash, slots));
      return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{factory};
    };
    suite.request.headers = basic("ali:sesame");
    suite.pool = pool.get();
    suite.max_runs = 5000;
  }

  const std::string hash;
  World world;
  worker::LocalSlots slots;
  const std::shared_ptr<UserSource> source = std::make_shared<UserSource>(slots);
  const std::shared_ptr<worker::ThreadPool> pool = std::make_shared<worker::ThreadPool>(kPoolSize);
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  filter::testing::Suite suite;
};

TEST_CASE("it passes the interleaving suite") {
  SuiteBed bed(kSha);
  REQUIRE(runInterleavings(bed.suite) == "");
  REQUIRE(runOverCodecs(bed.suite) == "");
}

TEST_CASE("it passes the interleaving suite while a thread tries the password") {
  SuiteBed bed(kBcrypt);
  REQUIRE(runInterleavings(bed.suite) == "");
  REQUIRE(runOverCodecs(bed.suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::basic_auth
