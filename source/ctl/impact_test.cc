#include "source/ctl/impact.h"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "envoy/config/route/v3/route.pb.h"
#include "source/config/loader.h"
#include "source/ctl/effect_samples.h"
#include "source/extensions/all.h"

namespace sluice::ctl {
namespace {

using Catch::Matchers::Contains;

// Two files' worth of resources.
struct Change {
  Change() { extensions::registerAll(registry); }

  template <typename Proto>
  void add(Inventory& side, const std::string& yaml) {
    Proto proto;
    config::Positions positions;
    config::Loader(errors, positions).loadText(yaml, config::Format::kYaml, "test.yaml", proto);
    side.add(proto, config::Context(errors));
    INFO(errors.toString());
    REQUIRE(errors.empty());
  }
  Impact impact(bool by_xds = false) const { return compare(before, after, by_xds); }

  config::Registry registry;
  config::ErrorList errors;
  Inventory before{registry}, after{registry};
};

using Listener = envoy::config::listener::v3::Listener;
using Cluster = envoy::config::cluster::v3::Cluster;
using Routes = envoy::config::route::v3::RouteConfiguration;

std::string chain(const std::string& name, const std::string& port, const std::string& stat_prefix) {
  return "- name: " + name + "\n  filter_chain_match: {destination_port: " + port +
         "}\n  filters: [{name: tcp, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: " +
         stat_prefix + ", cluster: a}}]\n";
}

std::string listener(const std::string& chains, const std::string& more = "") {
  return "name: main\naddress: {socket_address: {address: 127.0.0.1, port_value: 8080}}\nfilter_chains:\n" + chains +
         more;
}

std::string httpListener(const std::string& cluster, const std::string& stat_prefix = "http") {
  return listener(
      "- filters:\n  - name: http\n    typed_config:\n      \"@type\": type.googleapis.com/"
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n      stat_prefix: " +
      stat_prefix +
      "\n      http_filters: [{name: router, typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]\n"
      "      route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: /}, route: "
      "{cluster: " +
      cluster + "}}]}]}\n");
}

const Consequence* find(const Impact& impact, std::string_view resource, std::string_view part = "") {
  const auto found = std::find_if(impact.consequences.begin(), impact.consequences.end(),
                                  [&](const auto& each) { return each.resource == resource && each.part == part; });
  return found == impact.consequences.end() ? nullptr : &*found;
}

TEST_CASE("What is the same changes nothing") {
  Change change;
  change.add<Listener>(change.before, listener(chain("a", "1", "x")));
  change.add<Listener>(change.after, listener(chain("a", "1", "x")));

  CHECK(change.impact().consequences.empty());
  CHECK(toText(change.impact()) == "nothing changes\n");
}

TEST_CASE("Connections of the filter chain that changed drain, those of the others go on, and the socket stays") {
  Change change;
  change.add<Listener>(change.before, listener(chain("a", "1", "x") + chain("b", "2", "x")));
  change.add<Listener>(change.after, listener(chain("a", "1", "other") + chain("b", "2", "x")));

  const Impact impact = change.impact();

  REQUIRE(find(impact, "listener 'main'", "filter chain 'a'") != nullptr);
  CHECK(find(impact, "listener 'main'", "filter chain 'a'")->effect == Effect::kClients);
  CHECK(find(impact, "listener 'main'", "filter chain 'a'")->fields == std::vector<std::string>{"filters"});
  CHECK(find(impact, "listener 'main'", "filter chain 'b'")->effect == Effect::kNone);
  CHECK(find(impact, "listener 'main'", "socket 127.0.0.1:8080")->text == "stays");
  CHECK(impact.worst() == Effect::kClients);
}

TEST_CASE("A listener that is refused closes nothing and is told") {
  Change change;
  change.add<Listener>(change.before, listener(chain("a", "1", "x")));
  change.add<Listener>(change.after, listener(chain("a", "1", "other"), "enable_reuse_port: false\n"));

  CHECK(change.impact().worst() == Effect::kRefused);
  CHECK(find(change.impact(), "listener 'main'", "filter chain 'a'") == nullptr);
}

TEST_CASE("A route table in a chain drains it, with the hint that one by RDS would not") {
  Change change;
  change.add<Listener>(change.before, httpListener("a"));
  change.add<Listener>(change.after, httpListener("b"));

  const Impact impact = change.impact();

  REQUIRE(find(impact, "listener 'main'", "filter_chains[0]") != nullptr);
  CHECK_THAT(find(impact, "listener 'main'", "filter_chains[0]")->text, Contains("only its route table changed"));
}

TEST_CASE("There is no such hint where more than the route table changed") {
  Change change;
  change.add<Listener>(change.before, httpListener("a"));
  change.add<Listener>(change.after, httpListener("b", "other"));

  const Impact impact = change.impact();

  REQUIRE(find(impact, "listener 'main'", "filter_chains[0]") != nullptr);
  CHECK_THAT(find(impact, "listener 'main'", "filter_chains[0]")->text, !Contains("route table"));
}

TEST_CASE("A route table by RDS changes in place") {
  Change change;
  change.add<Routes>(change.before, "name: r");
  change.add<Routes>(change.after, "name: r\nvirtual_hosts: [{name: all, domains: ['*']}]");

  CHECK(change.impact().worst() == Effect::kNone);
  CHECK_THAT(toText(change.impact()),
             Contains("RouteConfiguration 'r': changes in place") && Contains("nothing closes"));
}

TEST_CASE("A cluster that changed gets new connections, and its fields are named") {
  Change change;
  change.add<Cluster>(change.before, "{name: c, connect_timeout: 1s, load_assignment: {cluster_name: c}}");
  change.add<Cluster>(change.after, "{name: c, connect_timeout: 2s, load_assignment: {cluster_name: c}}");

  REQUIRE(find(change.impact(), "cluster 'c'") != nullptr);
  CHECK(find(change.impact(), "cluster 'c'")->effect == Effect::kHosts);
  CHECK(find(change.impact(), "cluster 'c'")->fields == std::vector<std::string>{"connect_timeout"});
}

using Assignment = envoy::config::endpoint::v3::ClusterLoadAssignment;

std::string assignment(const std::vector<std::string>& hosts) {
  std::string out = "cluster_name: s\nendpoints:\n- lb_endpoints:\n";
  for (const std::string& host : hosts) {
    out += "  - endpoint: {address: {socket_address: {address: " + host + ", port_value: 80}}}\n";
  }
  return out;
}

TEST_CASE("A host that left is named; hosts that come close nothing") {
  Change leaves, comes;
  leaves.add<Assignment>(leaves.before, assignment({"10.0.0.1", "10.0.0.2"}));
  leaves.add<Assignment>(leaves.after, assignment({"10.0.0.2"}));
  comes.add<Assignment>(comes.before, assignment({"10.0.0.1"}));
  comes.add<Assignment>(comes.after, assignment({"10.0.0.1", "10.0.0.2"}));

  REQUIRE(find(leaves.impact(), "endpoints 's'") != nullptr);
  CHECK(find(leaves.impact(), "endpoints 's'")->effect == Effect::kHosts);
  CHECK_THAT(find(leaves.impact(), "endpoints 's'")->text, Contains("10.0.0.1:80") && !Contains("10.0.0.2"));
  CHECK(comes.impact().worst() == Effect::kNone);
}

TEST_CASE("Where any change of hosts closes all connections, that is told") {
  Change change;
  const std::string cluster =
      "{name: c, type: EDS, eds_cluster_config: {service_name: s, eds_config: {ads: {}}}, common_lb_config: "
      "{close_connections_on_host_set_change: true}}";
  change.add<Cluster>(change.before, cluster);
  change.add<Cluster>(change.after, cluster);
  change.add<Assignment>(change.before, assignment({"10.0.0.1"}));
  change.add<Assignment>(change.after, assignment({"10.0.0.1", "10.0.0.2"}));

  REQUIRE(find(change.impact(), "endpoints 's'") != nullptr);
  CHECK_THAT(find(change.impact(), "endpoints 's'")->text, Contains("all hosts"));
}

TEST_CASE("What a bootstrap says takes a restart, and by xDS only the rest of it") {
  Change change;
  change.add<Listener>(change.before, listener(chain("a", "1", "x")));
  change.add<Listener>(change.after, listener(chain("a", "1", "x"), "stat_prefix: s\n"));
  change.before.is_bootstrap = change.after.is_bootstrap = true;

  CHECK(change.impact().worst() == Effect::kRestart);
  CHECK(find(change.impact(), "bootstrap")->fields == std::vector<std::string>{"static_resources"});
  CHECK(change.impact(true).worst() == Effect::kNone);

  change.after.bootstrap.mutable_node()->set_id("other");
  CHECK(change.impact(true).worst() == Effect::kRestart);
  CHECK(find(change.impact(true), "bootstrap")->fields == std::vector<std::string>{"node"});
}

TEST_CASE("The same name twice is refused") {
  Change change;
  change.add<Cluster>(change.before, "{name: c, load_assignment: {cluster_name: c}}");
  Cluster again;
  again.set_name("c");
  again.mutable_load_assignment()->set_cluster_name("c");

  CHECK_FALSE(change.before.add(again, config::Context(change.errors)));
  CHECK_THAT(change.errors.toString(), Contains("another cluster 'c'"));
}

TEST_CASE("Each field of a listener and of its chains stands in the table of effects") {
  std::set<std::string> listeners, chains;
  for (const EffectSample& sample : effectSamples()) {
    if (sample.group == "Listener") listeners.insert(sample.field);
    if (sample.group == "FilterChain") chains.insert(sample.field);
  }
  for (const std::string& field : unsampledListenerFields()) listeners.insert(field);

  for (int i = 0; i < Listener::descriptor()->field_count(); ++i) {
    INFO(Listener::descriptor()->field(i)->name());
    CHECK(listeners.contains(Listener::descriptor()->field(i)->name()));
  }
  const auto& chain = *envoy::config::listener::v3::FilterChain::descriptor();
  for (int i = 0; i < chain.field_count(); ++i) {
    INFO(chain.field(i)->name());
    CHECK(chains.contains(chain.field(i)->name()));
  }
}

TEST_CASE("Only what cannot change while a socket is in use is refused in the table of effects") {
  Change change;
  const std::string document = effectsDocument(change.registry);

  CHECK_THAT(document, Contains("| `Listener` | enable_reuse_port | is refused; ") &&
                           Contains("| `Cluster` | each | gets new connections") && !Contains("is refused: "));
}

}  // namespace
}  // namespace sluice::ctl
