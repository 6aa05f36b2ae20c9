#include "source/extensions/filters/network/redis_proxy/factory.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.pb.h"
#include "source/config/network_filter_factory.h"
#include "source/config/test_world.h"

namespace sluice::extensions::network_filters::redis_proxy {
namespace {

using Proto = envoy::extensions::filters::network::redis_proxy::v3::RedisProxy;
using Catch::Matchers::Contains;

const std::string kBase =
    "stat_prefix: r\nsettings: {op_timeout: 1s}\nprefix_routes: {catch_all_route: {cluster: c}}\n";

std::string problemsOf(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  Proto proto;
  if (world.load(yaml, proto)) {
    const auto* factory = world.registry.network_filters.find(Proto::descriptor()->full_name());
    REQUIRE(factory != nullptr);
    const bool made = factory->compile(proto, world.context()) != nullptr;
    CHECK(made == world.problems().empty());
  }
  return world.problems();
}

TEST_CASE("what a redis_proxy may say") {
  CHECK(problemsOf(kBase).empty());
  CHECK(problemsOf(kBase +
                   "downstream_auth_passwords: [{inline_string: a}]\ndownstream_auth_username: {inline_string: u}\n"
                   "custom_commands: [my.get]\nlatency_in_micros: true\n"
                   "faults: [{fault_type: DELAY, delay: 1s, commands: [GET], fault_enabled: {default_value: "
                   "{numerator: 10}}}]\n")
            .empty());
}

TEST_CASE("what would not do what it says is refused") {
  CHECK_THAT(problemsOf("stat_prefix: r\nsettings: {op_timeout: 1s}\n"), Contains("leads nowhere"));
  CHECK_THAT(problemsOf("stat_prefix: r\nsettings: {op_timeout: 0s}\nprefix_routes: {catch_all_route: {cluster: c}}\n"),
             Contains("op_timeout"));
  CHECK_THAT(problemsOf(kBase + "downstream_auth_username: {inline_string: u}\n"), Contains("nobody could log in"));
  CHECK_THAT(problemsOf(kBase + "downstream_auth_passwords: [{inline_string: ''}]\n"), Contains("is empty"));
  CHECK_THAT(problemsOf(kBase + "custom_commands: [GET]\n"), Contains("is served anyway"));
  CHECK_THAT(problemsOf(kBase + "custom_commands: [Subscribe]\n"), Contains("connection that all clients share"));
  CHECK_THAT(problemsOf(kBase + "custom_commands: [MONITOR]\n"), Contains("connection that all clients share"));
  for (const char* name : {"BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "wait",
                           "WAITAOF", "XREAD", "XReadGroup"}) {
    CHECK_THAT(problemsOf(kBase + "custom_commands: [my.get, " + name + "]\n"),
               Contains(std::string("custom_commands[1]: '") + name + "' waits for what others do"));
  }
  CHECK_THAT(
      problemsOf(kBase +
                 "faults: [{fault_type: ERROR, commands: [nope], fault_enabled: {default_value: {numerator: 1}}}]\n"),
      Contains("is no command"));
  CHECK_THAT(problemsOf("stat_prefix: r\nsettings: {op_timeout: 1s, read_policy: LOCAL_ZONE_AFFINITY}\n"
                        "prefix_routes: {catch_all_route: {cluster: c}}\n"),
             Contains("have no zones"));
  CHECK_THAT(problemsOf("stat_prefix: r\nsettings: {op_timeout: 1s}\nprefix_routes: {routes: [{prefix: a, cluster: c}, "
                        "{prefix: a, cluster: d}]}\n"),
             Contains("keep one"));
  CHECK_THAT(problemsOf(kBase + "external_auth_provider: {}\n"), Contains("external_auth_provider"));
  CHECK_THAT(problemsOf("stat_prefix: r\nsettings: {op_timeout: 1s, dns_cache_config: {name: d}}\n"
                        "prefix_routes: {catch_all_route: {cluster: c}}\n"),
             Contains("announce addresses"));
}

}  // namespace
}  // namespace sluice::extensions::network_filters::redis_proxy
