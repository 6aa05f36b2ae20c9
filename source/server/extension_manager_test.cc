#include "source/server/extension_manager.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "envoy/config/core/v3/base.pb.h"

namespace sluice::server {
namespace {

using envoy::config::core::v3::KeyValuePair;

// Notes what it is told; takes all but "bad", and but what it is told to refuse.
struct User final : config::ExtensionUser {
  std::string_view statGroup() const override { return "extension_config_discovery.http_filter"; }
  bool alive() const override { return living; }
  std::function<void()> prepare(const google::protobuf::Any& any, const config::Context& context) override {
    KeyValuePair proto;
    any.UnpackTo(&proto);
    if (proto.key() != refused) return [this, key = proto.key()] { told.push_back(key); };
    context.error("is refused");
    return {};
  }
  void removed() override { told.push_back("removed"); }
  void givenUp() override { told.push_back("given up"); }

  bool living = true;
  std::string refused = "bad";
  std::vector<std::string> told;
};

using Told = std::vector<std::string>;

struct World {
  World() {
    manager.on_wanted = [this](const ResourceKey& key, const auto&) { wanted.push_back("+" + key.name); };
    manager.on_unwanted = [this](const ResourceKey& key) { wanted.push_back("-" + key.name); };
    source.mutable_ads();
  }
  std::shared_ptr<User> follow(const std::string& name) {
    auto user = std::make_shared<User>();
    CHECK(manager.follow(user, name, source, config::Context(errors)));
    return user;
  }
  // Whether it was taken.
  bool set(const std::string& name, const std::string& value) {
    KeyValuePair proto;
    proto.set_key(value);
    google::protobuf::Any any;
    any.PackFrom(proto);
    config::ErrorList refused;
    manager.set(keyOf(source, name), any, config::Context(refused));
    return refused.empty();
  }
  void turn() {
    main->post([this] { main->stop(); });
    main->run();
  }

  envoy::config::bootstrap::v3::Bootstrap bootstrap = [] {
    envoy::config::bootstrap::v3::Bootstrap proto;
    proto.mutable_dynamic_resources()->mutable_ads_config();
    return proto;
  }();
  std::unique_ptr<event::Loop> main = event::makeLoop();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  ExtensionManager manager{bootstrap, *main, stats, cells};
  envoy::config::core::v3::ConfigSource source;
  config::ErrorList errors;
  std::vector<std::string> wanted;
};

TEST_CASE("all users of a name are told of its configuration, those that come later at once") {
  World t;
  const auto a = t.follow("f"), b = t.follow("f"), other = t.follow("g");
  CHECK(t.wanted == Told{"+f", "+g"});

  CHECK(t.set("f", "one"));
  const auto late = t.follow("f");

  CHECK(a->told == Told{"one"});
  CHECK(b->told == Told{"one"});
  CHECK(late->told == Told{"one"});
  CHECK(other->told.empty());
  CHECK(t.stats.valueOf("extension_config_discovery.http_filter.f.config_reload") == 1);
}

TEST_CASE("what one user cannot take is refused, and all keep what they have") {
  World t;
  const auto a = t.follow("f"), b = t.follow("f");
  t.set("f", "one");
  b->refused = "two";

  CHECK_FALSE(t.set("f", "two"));

  CHECK(a->told == Told{"one"});
  CHECK(b->told == Told{"one"});
  CHECK(t.follow("f")->told == Told{"one"});
  CHECK(t.stats.valueOf("extension_config_discovery.http_filter.f.config_fail") == 1);
}

TEST_CASE("who waits is told when nothing comes, and nobody that has a configuration") {
  World t;
  const auto a = t.follow("f");

  t.manager.giveUp(keyOf(t.source, "f"));
  CHECK(a->told == Told{"given up"});
  CHECK(t.follow("f")->told == Told{"given up"});
  t.set("f", "one");
  t.manager.giveUp(keyOf(t.source, "f"));

  CHECK(a->told == Told{"given up", "one"});
}

TEST_CASE("what is taken away is told once") {
  World t;
  const auto a = t.follow("f");
  t.set("f", "one");

  t.manager.remove("f");
  t.manager.remove("f");

  CHECK(a->told == Told{"one", "removed"});
}

TEST_CASE("a name without users is not wanted any more") {
  World t;
  const auto a = t.follow("f"), b = t.follow("f");
  const auto ended = t.manager.userEnded();

  a->living = false;
  ended();
  t.turn();
  CHECK(t.wanted == Told{"+f"});
  b->living = false;
  ended();
  t.turn();

  CHECK(t.wanted == Told{"+f", "-f"});
  t.set("f", "late");
  CHECK(b->told.empty());
}

}  // namespace
}  // namespace sluice::server
