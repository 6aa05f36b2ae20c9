#include "source/extensions/filters/network/geoip/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

#include "envoy/extensions/filters/network/geoip/v3/geoip.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/geoip_provider_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/geoip/factory.h"
#include "source/filter/test_mirror.h"
#include "source/filter/test_network.h"
#include "source/geoip/test_provider.h"

namespace sluice::extensions::network_filters::geoip {
namespace {

using Proto = envoy::extensions::filters::network::geoip::v3::Geoip;
using sluice::geoip::testing::TestProvider;

// Its message is google.protobuf.Empty. Counts as a provider does, under the owner that it is given.
class ProviderFactory : public config::GeoipProviderConfigFactory {
 public:
  std::string_view configType() const override { return google::protobuf::Empty::descriptor()->full_name(); }
  std::shared_ptr<const sluice::geoip::Provider> compile(const google::protobuf::Message&,
                                                         config::FactoryContext context) const override {
    context.stats->counter(context.owner + "provider");
    owner = context.owner;
    return std::make_shared<TestProvider>(
        std::vector<std::string>{"country", "city"},
        TestProvider::Known{{"192.0.2.1", {"AQ", "Ice \"Town\""}}, {"192.0.2.2", {"BV"}}});
  }

  mutable std::string owner;
};

struct World : config::testing::TestWorld {
  World() {
    registerFactory(registry);
    registry.geoip_providers.add(std::make_unique<ProviderFactory>());
  }
  std::shared_ptr<const filter::NetworkFilterFactory> compile(const std::string& fields = "") {
    return compileText("{provider: {name: p, typed_config: {'@type': type.googleapis.com/google.protobuf.Empty}}" +
                       fields + "}");
  }
  std::shared_ptr<const filter::NetworkFilterFactory> compileText(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.connection_filters.find(Proto::descriptor()->full_name());
    return load(yaml, proto) ? factory->compile(proto, holding.context(at, "l")) : nullptr;
  }
  uint64_t counted(filter::TestNetwork& t, const std::string& name) {
    return t.cells.read(holding.stats().counter(name).id);
  }
  const std::string& providersOwner() {
    const auto* factory = registry.geoip_providers.find(google::protobuf::Empty::descriptor()->full_name());
    return static_cast<const ProviderFactory&>(*factory).owner;
  }

  config::Holding holding{services};
};

const stream::FilterState::Object* left(const filter::ConnectionFacts& facts) {
  return facts.state ? facts.state->filter_state.get<stream::FilterState::Object>("envoy.geoip") : nullptr;
}

// The text of what is left for a client there; "none": nothing.
std::string textFor(const char* remote, const std::string& fields = "", const std::string& server_name = "") {
  World world;
  const auto factory = world.compile(fields);
  INFO(world.problems());
  REQUIRE(factory);
  filter::TestNetwork t;
  t.facts.remote = *net::Address::parse(remote);
  t.facts.server_name = server_name;
  CHECK(!t.refusal(*factory));
  return left(t.facts) == nullptr ? "none" : std::string(left(t.facts)->text());
}

TEST_CASE("a connection gets what is known of its client") {
  CHECK(textFor("192.0.2.1:80") == R"({"city":"Ice \"Town\"","country":"AQ"})");
  CHECK(textFor("192.0.2.2:80") == R"({"country":"BV"})");
  CHECK(textFor("10.0.0.1:80") == "none");
  CHECK(textFor("/run/client.sock") == "none");
}

TEST_CASE("each fact has its own name") {
  World world;
  const auto factory = world.compile();
  filter::TestNetwork t;
  t.facts.remote = *net::Address::parse("192.0.2.1:80");
  CHECK(!t.refusal(*factory));

  REQUIRE(left(t.facts));
  CHECK(left(t.facts)->field("country") == "AQ");
  CHECK(left(t.facts)->field("region") == std::nullopt);
}

TEST_CASE("a format may say which address it is") {
  const std::string format = ", client_ip: '%REQUESTED_SERVER_NAME%'";
  CHECK(textFor("192.0.2.1:80", format, "192.0.2.2") == R"({"country":"BV"})");
  CHECK(textFor("192.0.2.2:80", format, "not.an.address") == R"({"country":"BV"})");
  CHECK(textFor("192.0.2.2:80", format) == R"({"country":"BV"})");
}

TEST_CASE("what others have left stays") {
  World world;
  const auto factory = world.compile();
  filter::TestNetwork t;
  t.facts.remote = *net::Address::parse("192.0.2.1:80");
  stream::madeIn(t.facts.state).filter_state.set("old", "kept");

  CHECK(!t.refusal(*factory));

  CHECK(t.facts.state->filter_state.get<stream::FilterState::Text>("old")->text() == "kept");
  CHECK(left(t.facts) != nullptr);
}

TEST_CASE("connections are counted under the prefix, which the provider has, too") {
  World world;
  const auto factory = world.compile(", stat_prefix: a.");
  REQUIRE(factory);
  filter::TestNetwork t;

  for (const char* remote : {"192.0.2.1:80", "10.0.0.1:80", "/run/client.sock"}) {
    t.facts.remote = *net::Address::parse(remote);
    CHECK(!t.refusal(*factory));
  }

  CHECK(world.counted(t, "a.geoip.total") == 3);
  CHECK(world.counted(t, "a.geoip.skipped") == 1);
  CHECK(world.providersOwner() == "a.");
}

TEST_CASE("what cannot work is refused") {
  World none, wrong;
  CHECK_FALSE(none.compileText("{provider: {name: p}}"));
  CHECK_THAT(none.problems(), Catch::Contains("provider.typed_config"));
  CHECK_FALSE(wrong.compile(", client_ip: '%NOTHING%'"));
  CHECK_THAT(wrong.problems(), Catch::Contains("client_ip"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory = world.compile();
  REQUIRE(factory);
  filter::Heard heard;
  const filter::MirrorFilter mirror(heard);
  filter::testing::NetworkSuite suite;
  suite.filters = [&] { return filter::NetworkFilters{factory}; };
  suite.bed = [&](filter::Calls& calls) { return std::make_unique<filter::TerminalBed>(calls, mirror); };
  suite.request = suite.reply = "abcde";

  CHECK(runNetworkInterleavings(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::geoip
