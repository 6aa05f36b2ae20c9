#include "source/extensions/filters/network/set_filter_state/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/set_filter_state/v3/set_filter_state.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/network/set_filter_state/factory.h"
#include "source/filter/test_network.h"

namespace sluice::extensions::network_filters::set_filter_state {
namespace {

using Proto = envoy::extensions::filters::network::set_filter_state::v3::Config;

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }
  std::shared_ptr<const filter::NetworkFilterFactory> compile(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.connection_filters.find(Proto::descriptor()->full_name());
    return load(yaml, proto) ? factory->compile(proto, context("l")) : nullptr;
  }
};

std::string setting(const std::string& key, const std::string& format) {
  return "{object_key: " + key + ", format_string: {text_format_source: {inline_string: '" + format + "'}}}";
}

std::string textOf(const filter::ConnectionFacts& facts, std::string_view name) {
  const auto* object = facts.state ? facts.state->filter_state.get<stream::FilterState::Object>(name) : nullptr;
  return object == nullptr ? "none" : std::string(object->text());
}

TEST_CASE("a connection gets what its address and its server name say") {
  World world;
  const auto factory =
      world.compile("on_new_connection: [" + setting("envoy.tcp_proxy.cluster", "%REQUESTED_SERVER_NAME%") + ", " +
                    setting("envoy.string", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%") + "]");
  REQUIRE(factory);
  filter::TestNetwork t;
  t.facts.server_name = "db";
  t.facts.remote = *net::Address::fromIp("10.1.2.3", 99);

  CHECK(!t.refusal(*factory));

  CHECK(textOf(t.facts, "envoy.tcp_proxy.cluster") == "db");
  CHECK(textOf(t.facts, "envoy.string") == "10.1.2.3");
}

TEST_CASE("what is for TLS is set behind the rest, and only where there is TLS") {
  World world;
  const auto factory = world.compile("on_new_connection: [" + setting("envoy.string", "plain") +
                                     "]\non_downstream_tls_handshake: [" + setting("envoy.string", "tls") + "]");
  REQUIRE(factory);
  filter::TestNetwork plain, secure;
  const net::TlsInfo info;
  secure.facts.tls = &info;

  CHECK(!plain.refusal(*factory));
  CHECK(!secure.refusal(*factory));

  CHECK(textOf(plain.facts, "envoy.string") == "plain");
  CHECK(textOf(secure.facts, "envoy.string") == "tls");
}

TEST_CASE("what others have left stays, and a filter that sets nothing leaves nothing") {
  World world;
  const auto some = world.compile("on_new_connection: [" + setting("envoy.string", "new") + "]");
  const auto none = world.compile("on_downstream_tls_handshake: [" + setting("envoy.string", "new") + "]");
  REQUIRE(some);
  REQUIRE(none);
  filter::TestNetwork t;

  CHECK(!t.refusal(*none));
  CHECK(t.facts.state == nullptr);
  stream::madeIn(t.facts.state).filter_state.set("old", "kept");
  CHECK(!t.refusal(*some));

  CHECK(textOf(t.facts, "old") == "kept");
  CHECK(textOf(t.facts, "envoy.string") == "new");
}

TEST_CASE("an object of an unknown kind is refused with its place") {
  World world;

  CHECK_FALSE(world.compile("on_downstream_tls_handshake: [" + setting("mine", "x") + "]"));

  CHECK_THAT(world.problems(), Catch::Contains("on_downstream_tls_handshake[0].object_key"));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::set_filter_state
