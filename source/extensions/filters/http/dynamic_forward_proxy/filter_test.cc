#include "source/extensions/filters/http/dynamic_forward_proxy/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/dns_cache/test_dns.h"
#include "source/extensions/filters/http/dynamic_forward_proxy/factory.h"
#include "source/upstream/test_cluster.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::dynamic_forward_proxy {
namespace {

using dns_cache::testing::CacheBed;
using filter::testing::Fields;
using filter::testing::Harness;
using stream::ResponseFlag;

// A cluster whose hosts a cache knows.
class NamedKind final : public upstream::cluster::ClusterKind {
 public:
  explicit NamedKind(const dns_cache::DnsCache* cache) : cache_(cache) {}
  std::unique_ptr<upstream::cluster::HostSource> makeSource(
      const upstream::cluster::HostSource::World&, upstream::cluster::HostSource::Owner,
      upstream::cluster::HostSource::Receiver& receiver) const override {
    return std::make_unique<upstream::cluster::FixedHosts>(nullptr, receiver);
  }
  const dns_cache::DnsCache* dnsCache() const override { return cache_; }

 private:
  const dns_cache::DnsCache* const cache_;
};

std::shared_ptr<const route::Table> tableTo(const std::string& cluster,
                                            std::shared_ptr<const route::PerFilterConfig> settings) {
  route::RouteSpec route;
  route.path = "/";
  route::ForwardSpec forward;
  forward.cluster = 0;
  forward.cluster_name = cluster;
  route.action = std::move(forward);
  if (settings) route.per_filter.emplace_back(0, std::move(settings));
  route::VirtualHostSpec host{.name = "v", .domains = {"*"}};
  host.routes.push_back(std::move(route));
  route::TableSpec spec;
  spec.virtual_hosts.push_back(std::move(host));
  return *route::Table::build(std::move(spec));
}

// One request, whose route leads to a cluster "c".
struct Fixture {
  explicit Fixture(dns_cache::Settings settings = {}, std::shared_ptr<const route::PerFilterConfig> of_route = nullptr,
                   bool save_address = false)
      : bed(cluster.registry, std::move(settings)),
        harness(filter::testing::entriesOf({std::make_shared<FilterFactory>(Settings{bed.cache, save_address})}),
                tableTo("c", std::move(of_route))) {
    cluster.hosts({});
    harness.stream.worker().add(cluster.clusters);
    named(bed.cache.get());
  }
  void named(const dns_cache::DnsCache* cache) {
    cluster.config->kind = std::make_shared<NamedKind>(cache);
    cluster.publish();
  }
  void request(std::string_view authority, const Fields& fields = {}) {
    harness.stream.request().authority = authority;
    harness.request("GET", fields, true);
    settle();
  }
  void settle() { bed.settle(harness.stream.testWorker()); }
  void found(const std::vector<std::string>& ips) {
    REQUIRE(bed.dns.found(ips));
    settle();
  }
  // Where the router would be sent.
  std::string resolved() {
    const filter::UpstreamChoice* choice = harness.stream.upstreamChoice();
    if (choice == nullptr || choice->resolved == nullptr) return "";
    return choice->resolved->addresses.front().toString();
  }
  std::string_view details() { return harness.stream.info().response_code_details; }

  upstream::TestCluster cluster;
  CacheBed bed;
  Harness harness;
};

TEST_CASE("a request waits until its host is known, and goes there") {
  Fixture f;
  f.request("A.example:8080");
  CHECK(f.harness.terminal.heads == 0);

  f.found({"1.1.1.1"});

  CHECK(f.harness.terminal.heads == 1);
  CHECK(f.resolved() == "1.1.1.1:8080");
  CHECK(f.bed.dns.asked == std::vector<std::string>{"a.example"});
}

TEST_CASE("a host that is an address is judged as any other") {
  Fixture f;
  f.request("169.254.169.254");
  f.found({"169.254.169.254"});

  CHECK(f.harness.client.status == 403);
  CHECK(f.details() == "dns_address_refused{169.254.169.254}");
  CHECK(f.harness.terminal.heads == 0);
  CHECK(f.resolved() == "");
}

TEST_CASE("requests for other clusters pass") {
  Fixture f;
  f.named(nullptr);
  f.request("a.example");
  CHECK(f.harness.terminal.heads == 1);
  CHECK(f.bed.dns.waiting() == 0);
}

TEST_CASE("a cluster with another cache gets no host from this one") {
  Fixture f;
  const dns_cache::DnsCache other{dns_cache::Settings{}};
  f.named(&other);
  f.request("a.example");
  CHECK(f.harness.client.status == 503);
  CHECK(f.details() == "dynamic_forward_proxy_other_cache");
}

TEST_CASE("a name that cannot be resolved is answered 503") {
  Fixture f;
  f.request("a.example");
  f.bed.dns.fail();
  f.settle();
  CHECK(f.harness.client.status == 503);
  CHECK(f.harness.client.body == "DNS resolution failure");
  CHECK(f.details() == "dns_resolution_failure{server_failure}");
  CHECK(f.harness.stream.info().response_flags.has(ResponseFlag::kDnsResolutionFailed));
}

TEST_CASE("an authority that is no host never gets to the DNS") {
  Fixture f;
  f.request("a..example");
  CHECK(f.harness.client.status == 503);
  CHECK(f.details() == "dns_resolution_failure{not_a_host}");
  CHECK(f.bed.dns.waiting() == 0);
}

TEST_CASE("too many that wait, and too many names, are answered 503") {
  Fixture waits({.max_pending_requests = 0});
  waits.request("a.example");
  CHECK(waits.harness.client.status == 503);
  CHECK(waits.details() == "dynamic_forward_proxy_pending_request_overflow");

  Fixture full({.max_hosts = 1, .preresolved = {*dns_cache::parseHostName("b.example", 80)}});
  full.request("a.example");
  CHECK(full.harness.client.status == 503);
  CHECK(full.details() == "dns_cache_overflow");
}

TEST_CASE("a stream that ends while it waits leaves nothing behind") {
  Fixture f;
  f.request("a.example");
  f.harness.runner->end();
  f.harness.runner.reset();
  f.found({"1.1.1.1"});
  CHECK(f.harness.stream.testWorker().cells.read(
            f.cluster.registry.gauge("dns_cache.n.circuit_breakers.rq_pending_remaining").id) == 0);
}

TEST_CASE("a route may name another host, which is looked up and asked for") {
  Fixture literal({}, std::make_shared<RouteSettings>("b.example:81", ""));
  literal.request("a.example");
  literal.found({"1.1.1.1"});
  CHECK(literal.resolved() == "1.1.1.1:81");
  CHECK(literal.harness.stream.request().authority == "b.example:81");

  Fixture header({}, std::make_shared<RouteSettings>("", "x-host"));
  header.request("a.example", {{"x-host", "c.example"}});
  header.found({"1.1.1.1"});
  CHECK(header.bed.dns.asked == std::vector<std::string>{"c.example"});
  CHECK(header.harness.stream.request().authority == "c.example");

  Fixture absent({}, std::make_shared<RouteSettings>("", "x-host"));
  absent.request("a.example");
  absent.found({"1.1.1.1"});
  CHECK(absent.bed.dns.asked == std::vector<std::string>{"a.example"});
}

TEST_CASE("the address may be left for others") {
  Fixture f({}, nullptr, true);
  f.request("a.example");
  f.found({"1.1.1.1"});
  const auto* state =
      f.harness.stream.info().filterState().get<stream::FilterState::Object>("envoy.stream.upstream_address");
  REQUIRE(state != nullptr);
  CHECK(state->text() == "1.1.1.1:80");
}

struct Compiled {
  explicit Compiled(const std::string& yaml) {
    registerFactory(world.registry);
    ::envoy::extensions::filters::http::dynamic_forward_proxy::v3::FilterConfig proto;
    if (!world.load(yaml, proto)) return;
    const auto* known = world.registry.http_filters.find(proto.GetDescriptor()->full_name());
    factory = known->compile(proto, world.context());
  }
  config::testing::TestWorld world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
};

TEST_CASE("a filter needs a cache") {
  CHECK(Compiled("{}").world.problems().find("dns_cache_config: is needed: the same as that of the cluster") !=
        std::string::npos);
  CHECK(Compiled("dns_cache_config: {name: dns}").factory != nullptr);
}

TEST_CASE("what is not for such a cluster passes the suite") {
  const Compiled compiled("dns_cache_config: {name: dns}");
  const filter::testing::Suite suite{
      .chain = [&] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{compiled.factory}; }};
  CHECK(filter::testing::runInterleavings(suite) == "");
  CHECK(filter::testing::runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::dynamic_forward_proxy
