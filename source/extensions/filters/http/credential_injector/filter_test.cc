#include "source/extensions/filters/http/credential_injector/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/credential_injector/v3/credential_injector.pb.h"
#include "source/config/secrets.h"
#include "source/extensions/filters/http/credential_injector/factory.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::credential_injector {
namespace {

namespace v3 = envoy::extensions::filters::http::credential_injector::v3;
using filter::testing::Fields;
using filter::testing::Harness;

// One secret, "token", which changes.
class OneSecret final : public config::Secrets {
 public:
  struct Slot : config::SecretSlot {
    const std::string& name() const override { return title; }
    std::shared_ptr<const config::SecretVersion> current() const override { return version; }
    bool settled() const override { return version != nullptr; }
    std::string title = "token";
    std::shared_ptr<const config::SecretVersion> version;
  };

  void set(const std::string& text) {
    auto version = std::make_shared<config::SecretVersion>();
    version->secret.mutable_generic_secret()->mutable_secret()->set_inline_string(text);
    version->files = std::make_shared<config::FileContents>();
    slot->version = std::move(version);
    if (user) CHECK(user->secretChanged().ok());
  }
  config::SecretSlotPtr named(const SdsSecretConfig& config, config::SecretKind kind, const config::Context&) override {
    CHECK(config.name() == "token");
    CHECK(kind == config::SecretKind::kGeneric);
    return slot;
  }
  config::SecretSlotPtr watched(Secret, const config::Context&) override { return nullptr; }
  void add(std::shared_ptr<config::SecretUser> added, std::vector<config::SecretSlotPtr>) override {
    user = std::move(added);
  }
  std::function<void()> userEnded() override { return {}; }

  const std::shared_ptr<Slot> slot = std::make_shared<Slot>();
  std::shared_ptr<config::SecretUser> user;
};

struct World : filter::testing::FilterWorld<v3::CredentialInjector> {
  World() : FilterWorld(registerFactory, "http.p.credential_injector.") { services.secrets = &secrets; }

  auto compile(const std::string& fields, const std::string& generic = "") {
    return FilterWorld::compile(
        "{credential: {name: c, typed_config: {'@type': type.googleapis.com/envoy.extensions.http."
        "injected_credentials.generic.v3.Generic, credential: {name: token}" +
        generic + "}}" + fields + "}");
  }

  OneSecret secrets;
};

TEST_CASE("a request gets the secret as it stands when it comes") {
  World world;
  world.secrets.set("one\n");
  const auto factory = world.compile("", ", header_value_prefix: 'Bearer '");
  INFO(world.problems());
  REQUIRE(factory);
  Harness first({factory});
  first.request("GET", {}, true);
  CHECK(first.terminal.headers == Fields{{"authorization", "Bearer one"}});
  CHECK(world.counted(first, "injected") == 1);

  world.secrets.set("two");
  Harness second({factory});
  second.request("GET", {}, true);
  CHECK(second.terminal.headers == Fields{{"authorization", "Bearer two"}});
}

TEST_CASE("what a client has sent stays, unless it is to be overwritten") {
  World world;
  world.secrets.set("s");
  const bool overwrite = GENERATE(false, true);
  const auto factory = world.compile(overwrite ? ", overwrite: true" : "", ", header: X-Key");
  REQUIRE(factory);
  Harness h({factory});

  h.request("GET", {{"x-key", "mine"}}, true);

  CHECK(h.terminal.headers == Fields{{"x-key", overwrite ? "s" : "mine"}});
  CHECK(world.counted(h, "already_exists") == (overwrite ? 0 : 1));
}

TEST_CASE("without a secret that fits a request is refused, unless it may go without") {
  const auto status = [](const std::string& fields, const char* secret) {
    World world;
    if (secret != nullptr) world.secrets.set(secret);
    const auto factory = world.compile(fields);
    REQUIRE(factory);
    Harness h({factory});
    h.request("GET", {}, true);
    CHECK(world.counted(h, "failed") == 1);
    CHECK(h.terminal.headers.empty());
    return h.client.status;
  };

  CHECK(status("", nullptr) == 401);
  CHECK(status("", "\n") == 401);
  CHECK(status("", "a\nb") == 401);
  CHECK(status(", allow_request_without_credential: true", nullptr) == 0);
}

TEST_CASE("a filter that nobody uses lets go of the secret") {
  World world;
  auto factory = world.compile("");
  CHECK(world.secrets.user->alive());

  factory.reset();

  CHECK_FALSE(world.secrets.user->alive());
}

TEST_CASE("headers that cannot be given are refused") {
  const auto problem = [](const std::string& generic) {
    World world;
    CHECK_FALSE(world.compile("", generic));
    return world.problems();
  };

  CHECK_THAT(problem(", header: host"), Catch::Contains("credential.typed_config.header"));
  CHECK_THAT(problem(", header: ':path'"), Catch::Contains("credential.typed_config.header"));
  CHECK_THAT(problem(", header_value_prefix: \"a\\nb\""), Catch::Contains("header_value_prefix"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  world.secrets.set("s");
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.compile("")}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::credential_injector
