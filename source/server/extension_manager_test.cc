#include "source/server/extension_manager.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "envoy/config/core/v3/base.pb.h"
#include "source/event/simulated_loop.h"

namespace sluice::server {
namespace {

using envoy::config::core::v3::KeyValuePair;
using namespace std::chrono_literals;

// Notes what it is told; takes all but "bad", and but what it is told to refuse. "of x" has x as a part.
struct User final : config::ExtensionUser {
  std::string_view statGroup() const override { return "extension_config_discovery.http_filter"; }
  bool alive() const override { return living; }
  std::function<void()> prepare(const google::protobuf::Any& any, const config::Context& context) override {
    KeyValuePair proto;
    any.UnpackTo(&proto);
    const config::ErrorMark mark(context);
    if (proto.key().starts_with("of ")) follow_part(proto.key().substr(3), context);
    if (mark.hit()) return {};
    if (proto.key() != refused) return [this, key = proto.key()] { told.push_back(key); };
    context.error("is refused");
    return {};
  }
  void removed() override { told.push_back("removed"); }
  void givenUp(std::chrono::milliseconds grace) override {
    told.push_back(grace.count() == 0 ? "given up" : "given up for " + std::to_string(grace.count()) + " ms");
  }

  bool living = true;
  std::string refused = "bad";
  std::function<void(const std::string& name, const config::Context& context)> follow_part;
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
  std::unique_ptr<event::SimulatedLoop> main = std::make_unique<event::SimulatedLoop>();
  observability::StatsRegistry stats;
  observability::StatsCells& cells = stats.makeCells();
  std::vector<std::string> lines;
  observability::Logger logger{observability::LogLevel::kInfo,
                               [this](std::string_view line) { lines.emplace_back(line); }};
  ExtensionManager manager{bootstrap, *main, stats, cells, logger};
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

  t.manager.remove(keyOf(t.source, "f"));
  t.manager.remove(keyOf(t.source, "f"));

  CHECK(a->told == Told{"one", "removed"});
}

TEST_CASE("what is taken away is that of one source, and nobody waits for it any more") {
  World t;
  const auto a = t.follow("f");
  t.set("f", "one");

  t.manager.remove({"another", "f"});
  CHECK(a->told == Told{"one"});
  t.manager.remove(keyOf(t.source, "f"));

  CHECK(t.follow("f")->told == Told{"given up"});
  t.set("f", "two");
  CHECK(t.follow("f")->told == Told{"two"});
}

TEST_CASE("a configuration cannot be a part of itself, nor of what is a part of it") {
  World t;
  const std::function<void(const std::string&, const config::Context&)> follow = [&](const std::string& name,
                                                                                     const config::Context& context) {
    auto user = std::make_shared<User>();
    user->follow_part = follow;
    t.manager.follow(std::move(user), name, t.source, context);
  };
  follow("f", config::Context(t.errors));
  follow("g", config::Context(t.errors));

  CHECK_FALSE(t.set("f", "of f"));
  CHECK(t.set("f", "of g"));
  CHECK_FALSE(t.set("g", "of f"));
  CHECK(t.set("g", "one"));
  CHECK(t.errors.empty());
}

TEST_CASE("a configuration may come from where its listener comes from") {
  World t;
  t.source.mutable_self();
  config::ErrorList errors;
  CHECK_FALSE(t.manager.follow(std::make_shared<User>(), "f", t.source, config::Context(errors)));

  t.manager.self_source = "lds";
  t.follow("f");
  CHECK(t.wanted == Told{"+f"});
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

TEST_CASE("one that there is not may come while something serves, in the time from when it was first wanted") {
  World t;
  t.manager.patience = 5s;
  const auto a = t.follow("f");
  t.main->advance(1s);

  t.manager.giveUp(keyOf(t.source, "f"));
  CHECK(a->told == Told{"given up for 4000 ms"});
  t.main->advance(1s);
  CHECK(t.follow("f")->told == Told{"given up for 3000 ms"});
  t.main->advance(3s);
  CHECK(t.follow("f")->told == Told{"given up"});
}

TEST_CASE("what is taken away serves on for a while") {
  World t;
  t.manager.patience = 5s;
  const auto a = t.follow("f");
  t.set("f", "one");
  t.manager.remove(keyOf(t.source, "f"));
  t.manager.remove(keyOf(t.source, "f"));
  t.main->advance(4999ms);
  CHECK(a->told == Told{"one"});

  SECTION("also for those who begin to use it") {
    CHECK(t.follow("f")->told == Told{"one"});
    t.main->advance(1ms);
    CHECK(a->told == Told{"one", "removed"});
    REQUIRE(t.lines.size() == 1);
    CHECK(t.lines[0].find("configuration of filter 'f' was removed 5000 ms ago and is named still") !=
          std::string::npos);
    CHECK(t.follow("f")->told == Told{"given up"});
  }
  SECTION("in which it may come again") {
    t.set("f", "two");
    t.main->advance(1min);
    CHECK(a->told == Told{"one", "two"});
  }
  SECTION("in which nobody may be left") {
    a->living = false;
    t.manager.userEnded()();
    t.turn();
    CHECK(t.wanted == Told{"+f", "-f"});
    t.main->advance(1min);
    CHECK(t.lines.empty());
  }
}

}  // namespace
}  // namespace sluice::server
