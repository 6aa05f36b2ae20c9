// Virtual hosts on demand, between a control plane and workers that are the test's.
#include "source/server/virtual_hosts.h"

#include <catch2/catch.hpp>

namespace sluice::server {
namespace {

using Names = std::vector<std::string>;
using Routes = VirtualHosts::Routes;

VirtualHosts::VirtualHost host(const std::string& name) {
  VirtualHosts::VirtualHost out;
  out.set_name(name);
  return out;
}

struct Bed {
  // Routes "r" whose hosts come from a server of that name, with hosts of their own.
  Routes routes(const Names& own = {}, const std::string& server = "server", bool delta = true) {
    Routes out;
    out.set_name("r");
    for (const std::string& name : own) out.add_virtual_hosts()->set_name(name);
    auto& source = *out.mutable_vhds()->mutable_config_source();
    source.set_resource_api_version(envoy::config::core::v3::V3);
    auto& api = *source.mutable_api_config_source();
    api.set_api_type(delta ? envoy::config::core::v3::ApiConfigSource::DELTA_GRPC
                           : envoy::config::core::v3::ApiConfigSource::GRPC);
    api.set_transport_api_version(envoy::config::core::v3::V3);
    api.add_grpc_services()->mutable_envoy_grpc()->set_cluster_name(server);
    return out;
  }
  std::string setTable(const Routes& routes) {
    config::ErrorList errors;
    hosts.setTable(table, routes, "1", config::Context(errors));
    return errors.toString();
  }
  // A request wants it.
  void demand(const std::string& name) {
    hosts.demand(table, name, [this, name] { told.push_back(name); });
  }
  ResourceKey wire(const std::string& name) {
    const Routes source = routes();
    return {keyOf(source.vhds().config_source(), "").source, "r/" + name};
  }
  std::string come(const std::string& name, const std::string& own_name) {
    config::ErrorList errors;
    hosts.set(wire(name), host(own_name), config::Context(errors));
    return errors.toString();
  }

  const ResourceKey table{"rds", "r"};
  Names asked;  // "+name" and "-name"
  Names given;  // the hosts of the table that the workers got last
  Names told;
  VirtualHosts hosts{{
      .compile = [](const Routes& routes, const config::Context& context) -> std::shared_ptr<const route::Table> {
        for (const auto& each : routes.virtual_hosts()) {
          if (each.name() != "bad") continue;
          context.error("is bad");
          return nullptr;
        }
        return *route::Table::build({});
      },
      .give =
          [this](const ResourceKey& key, const Routes& routes, std::shared_ptr<const route::Table> compiled,
                 const std::string& version) {
            CHECK(key == table);
            CHECK(compiled != nullptr);
            CHECK(version == "1");
            given.clear();
            for (const auto& each : routes.virtual_hosts()) given.push_back(each.name());
          },
      .want = [this](const auto&, const std::string& name) { asked.push_back("+" + name); },
      .unwant = [this](const std::string&, const std::string& name) { asked.push_back("-" + name); },
  }};
};

TEST_CASE("a host is asked for once, and whoever waits is told when the table has it") {
  Bed t;
  CHECK(t.setTable(t.routes({"own"})) == "");
  CHECK(t.given == Names{"own"});
  t.demand("a");
  t.demand("a");
  CHECK(t.asked == Names{"+r/a"});
  CHECK(t.told.empty());
  CHECK(t.come("a", "host a") == "");
  CHECK(t.given == Names{"own", "host a"});
  CHECK(t.told == Names{"a", "a"});
  t.demand("a");
  CHECK(t.told.size() == 3);
}

TEST_CASE("a host by several names is one, and a later version takes the place of the one before") {
  Bed t;
  t.setTable(t.routes());
  t.demand("a");
  t.demand("b");
  t.come("a", "both");
  t.come("b", "both");
  CHECK(t.given == Names{"both"});
  t.come("a", "other");
  CHECK(t.given == Names{"both", "other"});
}

TEST_CASE("hosts stand in the order in which they came, so that a new one moves none") {
  Bed t;
  t.setTable(t.routes({"own"}));
  for (const std::string name : {"c", "a", "b"}) t.demand(name);
  t.come("c", "host c");
  t.come("a", "host a");
  t.come("c", "host c");
  t.come("b", "host b");
  CHECK(t.given == Names{"own", "host c", "host a", "host b"});
}

TEST_CASE("hosts that are not there, are gone or do not come are not waited for") {
  Bed t;
  t.setTable(t.routes());
  t.demand("absent");
  t.hosts.remove(t.wire("absent"));
  t.demand("late");
  t.hosts.giveUp(t.wire("late"));
  CHECK(t.told == Names{"absent", "late"});
  t.come("late", "late");
  CHECK(t.given == Names{"late"});
  t.hosts.remove(t.wire("late"));
  CHECK(t.given.empty());
}

TEST_CASE("a host that its table cannot have is refused, and the one before serves on") {
  Bed t;
  t.setTable(t.routes());
  t.demand("a");
  t.come("a", "good");
  CHECK(t.come("a", "bad").find("routes 'r' cannot have it: is bad") != std::string::npos);
  CHECK(t.given == Names{"good"});
}

TEST_CASE("a table that comes again keeps its hosts unless they come from elsewhere") {
  Bed t;
  t.setTable(t.routes());
  t.demand("a");
  t.come("a", "host a");
  t.setTable(t.routes({"own"}));
  CHECK(t.given == Names{"own", "host a"});
  CHECK(t.setTable(t.routes({"bad"})) != "");
  CHECK(t.given == Names{"own", "host a"});
  t.demand("b");
  t.setTable(t.routes({"own"}, "another server"));
  CHECK(t.given == Names{"own"});
  CHECK(t.told == Names{"a", "b"});
  CHECK(t.asked == Names{"+r/a", "+r/b", "-r/a", "-r/b"});
}

TEST_CASE("a table that nobody has any more wants no hosts") {
  Bed t;
  t.setTable(t.routes());
  t.demand("a");
  t.hosts.forget(t.table);
  CHECK(t.told == Names{"a"});
  CHECK(t.asked == Names{"+r/a", "-r/a"});
  t.demand("b");
  CHECK(t.told == Names{"a", "b"});
  CHECK(t.asked.size() == 2);
}

TEST_CASE("names that clients make up push out each other, and no host that is there") {
  Bed t;
  t.setTable(t.routes());
  t.demand("!first");
  t.come("!first", "host");
  for (size_t i = 1; i < VirtualHosts::kMaxHosts; ++i) t.demand(std::to_string(i));
  CHECK(t.asked.size() == VirtualHosts::kMaxHosts);
  t.demand("another");
  CHECK(t.told.back() == "1");
  CHECK(Names(t.asked.end() - 2, t.asked.end()) == Names{"-r/1", "+r/another"});
  t.hosts.remove(t.wire("7"));
  t.demand("and one more");
  CHECK(Names(t.asked.end() - 2, t.asked.end()) == Names{"-r/7", "+r/and one more"});
  CHECK(t.given == Names{"host"});
}

TEST_CASE("a source that is not incremental is refused") {
  Bed t;
  CHECK(t.setTable(t.routes({}, "server", false)).find("vhds.config_source: is not incremental") != std::string::npos);
  Routes aggregated = t.routes();
  aggregated.mutable_vhds()->mutable_config_source()->mutable_ads();
  CHECK(t.setTable(aggregated).find("is not incremental") != std::string::npos);
  CHECK(t.given.empty());
}

}  // namespace
}  // namespace sluice::server
