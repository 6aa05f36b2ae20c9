#include "source/config/filter_discovery.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/extension_configs.h"
#include "source/config/http_filter_factory.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/test_world.h"
#include "source/filter/context.h"
#include "source/worker/test_worker.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::ExtensionConfigSource;
using envoy::config::core::v3::KeyValuePair;
using filter::testing::Fields;
using filter::testing::Harness;

// Adds its name to the head of the request, and wants to know the end of the stream.
class NamedFilter final : public filter::HttpFilter {
 public:
  struct Settings {
    std::string name;
    int* ended;
  };

  explicit NamedFilter(const Settings& settings) : settings_(settings) {}
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context&) override {
    headers.add("x-filter", settings_.name);
    return filter::Next{};
  }
  void onStreamEnd(filter::Context&) override { *settings_.ended += settings_.name == "one" ? 1 : 100; }

 private:
  const Settings& settings_;
};

class NamedFactory final : public HttpFilterConfigFactory {
 public:
  explicit NamedFactory(int& ended) : ended_(ended) {}
  std::string_view configType() const override { return KeyValuePair::descriptor()->full_name(); }
  std::shared_ptr<const filter::HttpFilterFactory> compile(const google::protobuf::Message& message,
                                                           FactoryContext context) const override {
    const std::string& name = static_cast<const KeyValuePair&>(message).key();
    if (name == "bad") {
      context.at.child("key").error("is bad");
      return nullptr;
    }
    return std::make_shared<filter::Factory<NamedFilter, NamedFilter::Settings>>(NamedFilter::Settings{name, &ended_});
  }

 private:
  int& ended_;
};

class GateFactory final : public ConnectionFilterConfigFactory {
 public:
  std::string_view configType() const override { return KeyValuePair::descriptor()->full_name(); }
  std::shared_ptr<const filter::NetworkFilterFactory> compile(const google::protobuf::Message&,
                                                              FactoryContext) const override {
    return std::make_shared<const filter::NetworkFilterFactory>();
  }
};

class LookingFactory final : public ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return KeyValuePair::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message&,
                                                        FactoryContext) const override {
    struct Looks : filter::ListenerFilter {
      size_t window() const override { return 0; }
      Result inspect(std::string_view, filter::Accepted&, observability::StatsCells&) const override {
        return {Verdict::kDone};
      }
    };
    return std::make_shared<const Looks>();
  }
};

// Configurations that the test brings.
class FakeConfigs final : public ExtensionConfigs {
 public:
  bool follow(std::shared_ptr<ExtensionUser> added, const std::string& name, const Source&, const Context&) override {
    CHECK(name == "f");
    user = std::move(added);
    return true;
  }
  std::function<void()> userEnded() override {
    return [this] { ++ended; };
  }

  std::shared_ptr<ExtensionUser> user;
  int ended = 0;
};

class Waits final : public InitTargets {
 public:
  InitTarget add(std::string name, std::chrono::milliseconds) override {
    names.push_back(std::move(name));
    return {};
  }
  std::vector<std::string> names;
};

struct World : testing::TestWorld {
  World() {
    registry.http_filters.add(std::make_unique<NamedFactory>(filters_ended));
    registry.connection_filters.add(std::make_unique<GateFactory>());
    registry.listener_filters.add(std::make_unique<LookingFactory>());
    services.extension_configs = &configs;
  }
  std::shared_ptr<const filter::HttpFilterFactory> compile(const std::string& fields) {
    ExtensionConfigSource proto;
    if (!load("{config_source: {ads: {}}, " + fields + "}", proto)) return nullptr;
    FactoryContext context = holding.context(at, "http.p.", "listener/f");
    context.init = &waits;
    const DiscoveredHttpFilter made = compileDiscoveredFilter("f", proto, context);
    if (made.factory != nullptr)
      CHECK(made.type == registry.http_filters.find(KeyValuePair::descriptor()->full_name()));
    return made.factory;
  }
  std::shared_ptr<const filter::NetworkFilterHolder> compileNetwork(const std::string& fields) {
    ExtensionConfigSource proto;
    if (!load("{config_source: {ads: {}}, " + fields + "}", proto)) return nullptr;
    return compileDiscoveredNetworkFilter("f", proto, holding.context(at));
  }
  std::shared_ptr<const filter::ListenerFilterHolder> compileListener(const std::string& fields) {
    ExtensionConfigSource proto;
    if (!load("{config_source: {ads: {}}, " + fields + "}", proto)) return nullptr;
    FactoryContext context = holding.context(at);
    context.init = &waits;
    return compileDiscoveredListenerFilter("f", proto, context);
  }
  // Brings a configuration; what is wrong with it.
  std::string bring(const google::protobuf::Message& message) {
    google::protobuf::Any any;
    any.PackFrom(message);
    ErrorList refused;
    if (const auto put = configs.user->prepare(any, Context(refused))) put();
    return refused.toString();
  }
  std::string bring(const std::string& name) {
    KeyValuePair proto;
    proto.set_key(name);
    return bring(proto);
  }

  int filters_ended = 0;
  FakeConfigs configs;
  Waits waits;
  Holding holding{services};
};

const std::string kTypes = "type_urls: [type.googleapis.com/envoy.config.core.v3.KeyValuePair]";
const std::string kDefault =
    ", default_config: {'@type': type.googleapis.com/envoy.config.core.v3.KeyValuePair, key: default}";

// Which filter a request goes through; "500" if it is answered so.
std::string through(const std::shared_ptr<const filter::HttpFilterFactory>& factory) {
  Harness h({factory});
  h.request("GET", {}, true);
  if (h.client.status == 500) {
    CHECK(h.stream.info().response_code_details == "filter_config_not_found");
    CHECK(h.stream.info().response_flags.has(stream::ResponseFlag::kNoFilterConfigFound));
    return "500";
  }
  REQUIRE(h.terminal.headers.size() == 1);
  return h.terminal.headers[0].second;
}

TEST_CASE("a request goes through the filter as it is configured when it comes") {
  World world;
  const auto factory = world.compile(kTypes);
  INFO(world.problems());
  REQUIRE(factory);
  CHECK(world.waits.names == std::vector<std::string>{"configuration of filter 'f'"});

  CHECK(through(factory) == "500");
  CHECK(world.bring("one") == "");
  CHECK(through(factory) == "one");
  CHECK(world.bring("two") == "");
  CHECK(through(factory) == "two");
  CHECK_FALSE(world.bring("bad").empty());
  CHECK(through(factory) == "two");
  world.configs.user->removed();
  CHECK(through(factory) == "500");
}

TEST_CASE("a stream goes on to its end with the filter that it began with") {
  World world;
  const auto factory = world.compile(kTypes);
  world.bring("one");
  {
    Harness h({factory});
    h.request("GET", {}, false);
    world.bring("two");
    CHECK(through(factory) == "two");
    world.filters_ended = 0;
    h.runner->requestData("x", true);
    h.respond(200, {}, true);
  }

  CHECK(world.filters_ended == 1);
}

TEST_CASE("a default holds until there is another configuration, and when that is taken away") {
  World world;
  const bool at_once = GENERATE(false, true);
  const auto factory =
      world.compile(kTypes + kDefault + (at_once ? ", apply_default_config_without_warming: true" : ""));
  REQUIRE(factory);
  CHECK(world.waits.names.empty() == at_once);

  CHECK(through(factory) == "default");
  world.bring("one");
  CHECK(through(factory) == "one");
  world.configs.user->removed();
  CHECK(through(factory) == "default");
}

TEST_CASE("a chain that is gone lets go of its configuration") {
  World world;
  auto factory = world.compile(kTypes);
  CHECK(world.configs.user->alive());

  factory.reset();

  CHECK_FALSE(world.configs.user->alive());
  CHECK(world.configs.ended == 1);
}

TEST_CASE("a network filter is there when its configuration is") {
  World world;
  worker::testing::TestWorker worker(nullptr, world.services.local_slots);
  const auto holder = world.compileNetwork(kTypes);
  INFO(world.problems());
  REQUIRE(holder);
  CHECK(world.configs.user->statGroup() == "extension_config_discovery.network_filter");

  CHECK(holder->get(worker.services) == nullptr);
  CHECK(world.bring("one") == "");
  CHECK(holder->get(worker.services) != nullptr);
  world.configs.user->removed();
  CHECK(holder->get(worker.services) == nullptr);
  CHECK(World().compileNetwork("type_urls: [type.googleapis.com/envoy.config.core.v3.ConfigSource]") == nullptr);
}

TEST_CASE("a listener filter is there when its configuration is, and a default until then") {
  World world;
  worker::testing::TestWorker worker(nullptr, world.services.local_slots);
  const bool has_default = GENERATE(false, true);
  const auto holder = world.compileListener(kTypes + (has_default ? kDefault : ""));
  INFO(world.problems());
  REQUIRE(holder);
  CHECK(world.configs.user->statGroup() == "extension_config_discovery.tcp_listener_filter");
  CHECK(world.waits.names == std::vector<std::string>{"configuration of filter 'f'"});

  const auto first = holder->get(worker.services);
  CHECK((first != nullptr) == has_default);
  CHECK(world.bring("one") == "");
  CHECK(holder->get(worker.services) != nullptr);
  CHECK(holder->get(worker.services) != first);
  world.configs.user->removed();
  CHECK(holder->get(worker.services) == first);
  CHECK(World().compileListener("type_urls: [type.googleapis.com/envoy.config.core.v3.ConfigSource]") == nullptr);
}

TEST_CASE("types that are not allowed are refused, in the source and when they come") {
  World world;
  REQUIRE(world.compile(kTypes));
  ExtensionConfigSource other;
  CHECK_THAT(world.bring(other), Catch::Contains("type_urls allows envoy.config.core.v3.KeyValuePair"));

  const auto problem = [](const std::string& fields) {
    World world;
    CHECK_FALSE(world.compile(fields));
    return world.problems();
  };
  CHECK_THAT(problem("type_urls: []"), Catch::Contains("type_urls"));
  CHECK_THAT(problem("type_urls: [type.googleapis.com/envoy.config.core.v3.ConfigSource]"),
             Catch::Contains("type_urls[0]: envoy.config.core.v3.ConfigSource does not configure"));
  CHECK_THAT(problem(kTypes + ", apply_default_config_without_warming: true"),
             Catch::Contains("needs a default_config"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile(kTypes + kDefault);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::config
