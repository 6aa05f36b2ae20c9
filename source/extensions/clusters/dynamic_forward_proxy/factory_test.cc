#include "source/extensions/clusters/dynamic_forward_proxy/factory.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.pb.h"
#include "source/config/cluster_kind_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/clusters/dynamic_forward_proxy/policy.h"

namespace sluice::extensions::clusters::dynamic_forward_proxy {
namespace {

using Proto = ::envoy::extensions::clusters::dynamic_forward_proxy::v3::ClusterConfig;
using dns_cache::AddressGuard;

struct Fixture {
  Fixture() { registerFactory(world.registry); }
  std::shared_ptr<const Kind> compile(const std::string& json) {
    Proto proto;
    if (!world.load(json, proto)) return nullptr;
    const auto* factory = world.registry.cluster_kinds.find(Proto::descriptor()->full_name());
    return std::dynamic_pointer_cast<const Kind>(factory->compile(proto, cluster, world.context(), world.at));
  }
  std::string problems(const std::string& json) {
    compile(json);
    return world.problems();
  }
  config::testing::TestWorld world;
  config::ClusterTypeFactory::Cluster cluster;
};

std::string withResolver(const std::string& resolver) {
  return "{dns_cache_config: {name: dns, typed_dns_resolver_config: {name: r, typed_config: " + resolver + "}}}";
}

TEST_CASE("a cluster's cache is configured by the names of Envoy") {
  Fixture f;
  const auto kind = f.compile(
      "{dns_cache_config: {name: dns, dns_lookup_family: V4_ONLY, dns_refresh_rate: 7s, dns_min_refresh_rate: 6s, "
      "host_ttl: "
      "8s, max_hosts: 9, dns_failure_refresh_rate: {base_interval: 2s}, dns_cache_circuit_breaker: "
      "{max_pending_requests: "
      "10}, dns_query_timeout: 3s, preresolve_hostnames: [{address: A.example, port_value: 443}], "
      "resolved_address_filter: {ranges: [{address_prefix: 1.0.0.0, prefix_len: 8}]}}}");
  REQUIRE(f.world.problems() == "");
  const dns_cache::Settings& settings = kind->dnsCache()->settings();
  CHECK(settings.lookup_family == net::DnsLookupFamily::kV4Only);
  CHECK(settings.refresh_rate.count() == 7000);
  CHECK(settings.min_refresh_rate.count() == 6000);
  CHECK(settings.host_ttl.count() == 8000);
  CHECK(settings.max_hosts == 9);
  CHECK(settings.failure_base_interval.count() == 2000);
  CHECK(settings.failure_max_interval.count() == 20000);
  CHECK(settings.max_pending_requests == 10);
  CHECK(settings.query_timeout.count() == 3000);
  REQUIRE(settings.preresolved.size() == 1);
  CHECK(settings.preresolved[0].key == "a.example:443");
  CHECK(settings.guard.check(*net::Address::fromIp("1.1.1.1", 0)) == AddressGuard::Verdict::kFiltered);
  CHECK(settings.guard.check(*net::Address::fromIp("127.0.0.1", 0)) == AddressGuard::Verdict::kInternal);
  CHECK(kind->verifiesNames());
  CHECK(kind->policy() != nullptr);
}

TEST_CASE("internal addresses are allowed by ranges") {
  Fixture f;
  const auto kind = f.compile(withResolver(
      "{\"@type\": type.googleapis.com/sluice.extensions.network.dns_resolver.v1.InternalDnsResolver, allowed_ranges: "
      "[{address_prefix: 127.0.0.1, prefix_len: 32}], cares: {resolvers: [{socket_address: {address: 127.0.0.1, "
      "port_value: 5353}}], query_tries: 2, query_timeout_seconds: 1}}"));
  REQUIRE(f.world.problems() == "");
  CHECK(kind->dnsCache()->settings().guard.check(*net::Address::fromIp("127.0.0.1", 0)) ==
        AddressGuard::Verdict::kAllowed);
}

TEST_CASE("caches of one name are one, and have the same settings") {
  Fixture f;
  const auto first = f.compile("{dns_cache_config: {name: dns, max_hosts: 5}}");
  const auto same = f.compile("{dns_cache_config: {name: dns, max_hosts: 5}, allow_insecure_cluster_options: true}");
  REQUIRE(same != nullptr);
  CHECK(first->dnsCache() == same->dnsCache());
  CHECK_FALSE(same->verifiesNames());
  CHECK(f.world.problems() == "");
  CHECK(f.compile("{dns_cache_config: {name: m, max_hosts: 6}}") != nullptr);
  CHECK(f.compile("{dns_cache_config: {name: dns, max_hosts: 6}}") == nullptr);
  CHECK(f.world.problems().find("the DNS cache 'dns' has other settings elsewhere") != std::string::npos);
}

TEST_CASE("what is wrong with a cache is said where it stands") {
  CHECK(Fixture().problems("{}").find("dns_cache_config: is needed") != std::string::npos);
  CHECK(Fixture()
            .problems("{dns_cache_config: {name: dns, preresolve_hostnames: [{address: 'a b', port_value: 1}]}}")
            .find("preresolve_hostnames[0].address: \"a b\" is no host name") != std::string::npos);
  CHECK(
      Fixture()
          .problems("{dns_cache_config: {name: dns, max_hosts: 1, preresolve_hostnames: [{address: a, port_value: 1}, "
                    "{address: b, port_value: 1}]}}")
          .find("has 2 names, more than max_hosts (1)") != std::string::npos);
  CHECK(Fixture()
            .problems("{dns_cache_config: {name: dns, resolved_address_filter: {invert_match: true}}}")
            .find("without ranges it takes out every address") != std::string::npos);
  CHECK(Fixture()
            .problems(withResolver("{\"@type\": type.googleapis.com/"
                                   "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: "
                                   "[{pipe: {path: /run/dns}}]}"))
            .find("resolvers[0]: a DNS server is an IP address with a port") != std::string::npos);
  CHECK(Fixture()
            .problems(withResolver(
                "{\"@type\": type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig}"))
            .find("is no resolver here") != std::string::npos);
}

TEST_CASE("over TLS whoever answers has to show that it is the host") {
  const std::string tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
  Fixture f;
  f.cluster.mutable_transport_socket()->mutable_typed_config()->set_type_url(tls);
  CHECK(f.compile("{dns_cache_config: {name: dns}, allow_insecure_cluster_options: true}") != nullptr);
  CHECK(f.world.problems() == "");
  CHECK(f.problems("{dns_cache_config: {name: dns}}").find("any server is believed") != std::string::npos);
}

// Of a cluster with this transport.
std::string tlsProblems(const std::string& transport) {
  Fixture f;
  f.world.load(transport, *f.cluster.mutable_transport_socket());
  return f.problems("{dns_cache_config: {name: dns}}");
}

TEST_CASE("a validation context that believes anybody is as good as none, also behind another transport") {
  const auto tls = [](const std::string& validation) {
    return "{name: tls, typed_config: {\"@type\": "
           "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {" +
           validation + "}}}";
  };
  const auto behind = [](const std::string& inner) {
    return "{name: pp, typed_config: {\"@type\": type.googleapis.com/"
           "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport, transport_socket: " +
           inner + "}}";
  };
  const std::string trusting = "validation_context: {trusted_ca: {inline_string: x}";

  CHECK(tlsProblems(tls(trusting + "}")) == "");
  CHECK(tlsProblems(behind(tls(trusting + "}"))) == "");
  CHECK(tlsProblems(tls("validation_context: {system_root_certs: {}}")) == "");
  for (const std::string& validation :
       {std::string(), std::string("validation_context: {}"), std::string("validation_context: {max_verify_depth: 1}"),
        trusting + ", trust_chain_verification: ACCEPT_UNTRUSTED}"}) {
    CAPTURE(validation);
    CHECK(tlsProblems(tls(validation)).find("any server is believed") != std::string::npos);
    CHECK(tlsProblems(behind(tls(validation))).find("transport_socket.typed_config.common_tls_context: ") !=
          std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::extensions::clusters::dynamic_forward_proxy
