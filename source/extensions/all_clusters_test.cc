// Clusters as configured: kinds, load-balancing policies and the rest; what cannot be is an error that says so.
#include <string>

#include "source/extensions/clusters/dns/source.h"
#include "source/extensions/clusters/original_dst/policy.h"
#include "source/extensions/clusters/static_cluster/kind.h"
#include "source/extensions/load_balancing_policies/least_request/policy.h"
#include "source/extensions/load_balancing_policies/maglev/policy.h"
#include "source/extensions/load_balancing_policies/random/policy.h"
#include "source/extensions/load_balancing_policies/ring_hash/policy.h"
#include "source/extensions/load_balancing_policies/round_robin/policy.h"
#include "source/extensions/load_balancing_policies/subset/policy.h"
#include "source/extensions/test_clusters.h"
#include "source/route/request_policies.h"

namespace sluice::extensions {
namespace {
using LeastRequest = load_balancing_policies::least_request::Policy;
using OriginalDst = clusters::original_dst::Policy;
using Maglev = load_balancing_policies::maglev::Policy;
using Random = load_balancing_policies::random::Policy;
using RingHash = load_balancing_policies::ring_hash::Policy;
using RoundRobin = load_balancing_policies::round_robin::Policy;
using Subset = load_balancing_policies::subset::Policy;
using Static = clusters::static_cluster::Kind;
using Dns = clusters::dns::Kind;

TEST_CASE("a static cluster gets Envoy's defaults") {
  const Compiled compiled = compile(kPlain);

  REQUIRE(compiled.config);
  const ClusterConfig& config = *compiled.config;
  CHECK(config.name == "c");
  CHECK(config.stat_name == "c");
  REQUIRE(kindOf<Static>(config));
  CHECK(config.connect_timeout == 5s);
  CHECK(config.per_connection_buffer_limit == 1024 * 1024);
  CHECK(policyOf<RoundRobin>(config));
  CHECK(config.lb.hosts.panic_threshold == 50);
  CHECK(config.thresholds[0].max_connections == 1024);
  CHECK(config.thresholds[1].max_retries == 3);
  CHECK(config.thresholds[0].retry_budget == upstream::cluster::RetryBudget{.percent = 20, .min_concurrency = 3});
  CHECK(config.thresholds[1].retry_budget);
  CHECK(config.http.idle_timeout == 1h);
  CHECK(config.http.max_requests_per_connection == 0);
  const upstream::cluster::Assignment& endpoints = kindOf<Static>(config)->endpoints();
  CHECK(endpoints.overprovisioning_factor == 140);
  REQUIRE(endpoints.localities.size() == 1);
  CHECK(endpoints.localities[0].endpoints[0].address.toString() == "127.0.0.1:80");
  CHECK(compiled.warnings.empty());
}

TEST_CASE("a limit of retries that is set takes the place of the budget that nobody set") {
  const Compiled compiled = compile(std::string(kPlain) + R"(
circuit_breakers:
  thresholds:
  - {max_retries: 9}
  - {priority: HIGH, max_retries: 1, retry_budget: {budget_percent: {value: 7.5}}}
)");

  REQUIRE(compiled.config);
  CHECK(compiled.config->thresholds[0].max_retries == 9);
  CHECK_FALSE(compiled.config->thresholds[0].retry_budget);
  CHECK(compiled.config->thresholds[1].retry_budget ==
        upstream::cluster::RetryBudget{.percent = 7.5, .min_concurrency = 3});
  CHECK(compiled.warnings.find("max_retries: not used") != std::string::npos);
}

TEST_CASE("everything that a cluster can say is compiled") {
  const Compiled compiled = compile(R"(
name: "outbound|80||a"
alt_stat_name: "a:80"
type: STRICT_DNS
connect_timeout: 0.25s
per_connection_buffer_limit_bytes: 32768
lb_policy: LEAST_REQUEST
least_request_lb_config: {choice_count: 5}
common_lb_config:
  healthy_panic_threshold: {value: 0}
  locality_weighted_lb_config: {}
  update_merge_window: 2s
  ignore_new_hosts_until_first_hc: true
  close_connections_on_host_set_change: true
close_connections_on_host_health_failure: true
ignore_health_on_host_removal: true
circuit_breakers:
  thresholds:
  - {max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4}
  - {priority: HIGH, max_requests: 0}
dns_refresh_rate: 60s
dns_jitter: 1s
dns_lookup_family: V4_ONLY
respect_dns_ttl: true
dns_failure_refresh_rate: {base_interval: 2s}
typed_extension_protocol_options:
  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
    common_http_protocol_options: {idle_timeout: 0s, max_headers_count: 7, max_requests_per_connection: 9,
      max_response_headers_kb: 5, max_connection_duration_jitter: {value: 25}}
    explicit_http_config: {http_protocol_options: {enable_trailers: true}}
load_assignment:
  cluster_name: "outbound|80||a"
  policy: {overprovisioning_factor: 100}
  endpoints:
  - locality: {region: r, zone: z, sub_zone: s}
    load_balancing_weight: 3
    priority: 1
    lb_endpoints:
    - endpoint: {hostname: h, address: {socket_address: {address: a.example.com, port_value: 8080}}}
      load_balancing_weight: 9
      health_status: DEGRADED
    - endpoint: {address: {socket_address: {address: "::1", port_value: 81}}}
    - endpoint: {address: {pipe: {path: /run/a.sock}}}
)");

  INFO(compiled.errors);
  REQUIRE(compiled.config);
  const ClusterConfig& config = *compiled.config;
  CHECK(config.stat_name == "a_80");
  CHECK(config.connect_timeout == 250ms);
  CHECK(config.per_connection_buffer_limit == 32768);
  REQUIRE(policyOf<LeastRequest>(config));
  CHECK(policyOf<LeastRequest>(config)->settings().choice_count == 5);
  CHECK(config.lb.hosts.panic_threshold == 0);
  CHECK(config.lb.hosts.locality_weighted);
  CHECK(config.lb.hosts.exclude_unchecked);
  CHECK(config.host_changes.merge_window == 2s);
  CHECK(config.host_changes.close_on_change);
  CHECK(config.host_changes.close_on_failure);
  CHECK(config.host_changes.ignore_health_on_removal);
  CHECK(config.thresholds[0] == upstream::cluster::Thresholds{1, 2, 3, 4});
  CHECK(config.thresholds[1] == upstream::cluster::Thresholds{1024, 1024, 0, 3, upstream::cluster::RetryBudget{}});
  REQUIRE(kindOf<Dns>(config));
  const clusters::dns::Settings& dns = kindOf<Dns>(config)->settings();
  CHECK(dns.refresh_rate == 60s);
  CHECK(dns.jitter == 1s);
  CHECK(dns.lookup_family == net::DnsLookupFamily::kV4Only);
  CHECK(dns.respect_ttl);
  CHECK(dns.failure_base_interval == 2s);
  CHECK(dns.failure_max_interval == 20s);
  CHECK(config.http.idle_timeout == 0s);
  CHECK(config.http.max_headers_count == 7);
  CHECK(config.http.max_header_bytes == 5 * 1024);
  CHECK(config.http.max_connection_duration_jitter == 0.25);
  CHECK(config.http.max_requests_per_connection == 9);
  CHECK(config.http.enable_trailers);
  const upstream::cluster::Assignment& endpoints = kindOf<Dns>(config)->endpoints();
  CHECK(endpoints.overprovisioning_factor == 100);
  const upstream::cluster::LocalityEndpoints& locality = endpoints.localities.at(0);
  CHECK(locality.locality == upstream::cluster::Locality{"r", "z", "s"});
  CHECK(locality.weight == 3);
  CHECK(locality.priority == 1);
  REQUIRE(locality.endpoints.size() == 3);
  CHECK(locality.endpoints[0].dns_name == "a.example.com");
  CHECK(locality.endpoints[0].dns_port == 8080);
  CHECK(locality.endpoints[0].hostname == "h");
  CHECK(locality.endpoints[0].weight == 9);
  CHECK(locality.endpoints[0].health == Health::kDegraded);
  CHECK(locality.endpoints[1].address.toString() == "[::1]:81");
  CHECK(locality.endpoints[2].address.toString() == "/run/a.sock");
}

TEST_CASE("an EDS cluster subscribes by its service name or its own") {
  const std::string eds = "name: c\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}}";

  CHECK(compile(eds + "}").config->kind->serviceName() == "c");
  CHECK(compile(eds + ", service_name: s}").config->kind->serviceName() == "s");
  contains(compile("name: c\ntype: EDS").errors, "eds_cluster_config: a cluster of type EDS needs eds_config");
  contains(compile("name: c\neds_cluster_config: {service_name: s}").errors, "only a cluster of type EDS");
}

TEST_CASE("a cluster may have its hosts from connections") {
  const std::string plain = "name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\n";
  const auto config = compile(plain).config;
  REQUIRE(config);
  REQUIRE(policyOf<OriginalDst>(*config));
  const clusters::original_dst::Settings& settings = policyOf<OriginalDst>(*config)->settings();
  CHECK(settings.header.empty());
  CHECK(settings.port_override == 0);
  CHECK(settings.cleanup_interval == 5s);
  const auto all = compile(plain +
                           "cleanup_interval: 0.5s\noriginal_dst_lb_config: {use_http_header: true, http_header_name: "
                           "X-To, upstream_port_override: 81}");
  CHECK(policyOf<OriginalDst>(*all.config)->settings().header == "x-to");
  CHECK(policyOf<OriginalDst>(*all.config)->settings().port_override == 81);
  CHECK(policyOf<OriginalDst>(*all.config)->settings().cleanup_interval == 500ms);
  const auto by_header = compile(plain + "original_dst_lb_config: {use_http_header: true}").config;
  CHECK(policyOf<OriginalDst>(*by_header)->settings().header == "x-envoy-original-dst-host");
}

TEST_CASE("what does not go with hosts from connections is refused") {
  const std::string plain = "name: c\ntype: ORIGINAL_DST\nlb_policy: CLUSTER_PROVIDED\n";
  contains(compile("name: c\ntype: ORIGINAL_DST").errors, "lb_policy: a cluster of type ORIGINAL_DST needs");
  contains(compile(plain + "load_assignment: {cluster_name: c}").errors, "load_assignment: a cluster of type");
  contains(compile(plain + "eds_cluster_config: {service_name: s}").errors, "only a cluster of type EDS");
  contains(compile(plain + "original_dst_lb_config: {http_header_name: a}").errors,
           "http_header_name: is not looked at");
  contains(compile(plain + "original_dst_lb_config: {use_http_header: true, http_header_name: ':path'}").errors,
           "http_header_name: of the pseudo headers only");
  contains(compile(plain + "original_dst_lb_config: {upstream_port_override: 0}").errors, "upstream_port_override: ");
  contains(compile(kPlain + "lb_policy: CLUSTER_PROVIDED").errors, "lb_policy: CLUSTER_PROVIDED goes with type");
  contains(compile(kPlain + "original_dst_lb_config: {}").errors, "original_dst_lb_config: only a cluster of type");
  contains(compile(plain + "load_balancing_policy: {}").errors,
           "load_balancing_policy: a cluster of this kind chooses");
}

std::string namedHosts(const std::string& fields = "", const std::string& options = "") {
  return "name: c\nlb_policy: CLUSTER_PROVIDED\ncluster_type: {name: d, typed_config: {'@type': type.googleapis.com/"
         "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig, dns_cache_config: {name: dns}" +
         options + "}}\n" + fields;
}

TEST_CASE("hosts that clients name are verified by that name, unless somebody says otherwise") {
  const Compiled plain = compile(namedHosts());
  REQUIRE(plain.errors == "");
  CHECK(plain.config->http.auto_sni);
  CHECK(plain.config->http.auto_san_validation);
  const auto typed = [](const std::string& more) {
    return "typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': "
           "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: "
           "{http2_protocol_options: {}}" +
           more + "}}";
  };
  const std::string both = ", upstream_http_protocol_options: {auto_sni: true, auto_san_validation: true}";
  const std::string sni_only = ", upstream_http_protocol_options: {auto_sni: true}";
  CHECK(compile(namedHosts(typed(both))).errors == "");
  contains(compile(namedHosts(typed(sni_only))).errors, "set auto_sni and auto_san_validation");
  contains(compile(namedHosts(typed(""))).errors, "set auto_sni and auto_san_validation");
  CHECK(compile(namedHosts(typed(""), ", allow_insecure_cluster_options: true")).errors == "");
}

TEST_CASE("a cluster may have policies for the requests to it") {
  const auto with = [](const std::string& more) {
    return compile(
        std::string(kPlain) +
        "\ntyped_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {'@type': "
        "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: "
        "{http2_protocol_options: {}}" +
        more + "}}\n");
  };
  CHECK(with("").config->request_policies == nullptr);

  const Compiled all = with(
      ", retry_policy: {retry_on: 5xx, num_retries: 4, retry_host_predicate: [{name: p, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}"
      ", hash_policy: [{header: {header_name: x-user}}]"
      ", request_mirror_policies: [{cluster: other}]");

  REQUIRE(all.errors == "");
  const route::RequestPolicies& policies = *all.config->request_policies;
  CHECK(policies.retry->num_retries == 4);
  CHECK(policies.retry->host_predicates.size() == 1);
  REQUIRE(policies.hash->size() == 1);
  CHECK(policies.hash->front().name == "x-user");
  CHECK(policies.mirrors->front().cluster_name == "other");
  contains(
      with(", retry_policy: {retry_on: 5xx, retriable_request_headers: [{name: 'a b', present_match: true}]}").errors,
      ".retry_policy.retriable_request_headers[0]");
}

TEST_CASE("hosts that clients name come with a policy of their own, and are no others") {
  const Compiled named = compile(namedHosts());
  CHECK(named.config->lb.policy == named.config->kind->policy());
  contains(compile(namedHosts("load_assignment: {cluster_name: c}")).errors, "load_assignment: the hosts of this");
}

TEST_CASE("a kind of cluster with an error of its own is not said to choose no hosts") {
  const std::string errors =
      compile(
          "name: c\nlb_policy: CLUSTER_PROVIDED\ncluster_type: {name: d, typed_config: {'@type': type.googleapis.com/"
          "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig}}\n")
          .errors;

  contains(errors, "dns_cache_config: is needed");
  CHECK(errors.find("lb_policy") == std::string::npos);
}

const std::string kType = "{name: p, typed_config: {'@type': type.googleapis.com/envoy.extensions.";

// Clusters whose policies are these; `fields` are of the first.
Compiled withPolicies(const std::string& first, const std::string& fields = "", const std::string& more = "") {
  return compile(kPlain + "load_balancing_policy: {policies: [{typed_extension_config: " + kType +
                 "load_balancing_policies." + first + fields + "}}}" + more + "]}\n");
}

TEST_CASE("a policy is found by the type of its configuration") {
  CHECK(policyOf<RoundRobin>(*withPolicies("round_robin.v3.RoundRobin").config));
  CHECK(policyOf<Random>(*withPolicies("random.v3.Random").config));
  const Compiled least = withPolicies("least_request.v3.LeastRequest",
                                      ", choice_count: 7, locality_lb_config: {locality_weighted_lb_config: {}}");
  REQUIRE(policyOf<LeastRequest>(*least.config));
  CHECK(policyOf<LeastRequest>(*least.config)->settings().choice_count == 7);
  CHECK(least.config->lb.hosts.locality_weighted);
  CHECK_FALSE(withPolicies("random.v3.Random").config->lb.hosts.locality_weighted);
  CHECK_FALSE(least.config->lb.hosts.fail_on_panic);
  for (const char* policy : {"least_request.v3.LeastRequest", "random.v3.Random", "round_robin.v3.RoundRobin"}) {
    INFO(policy);
    const Compiled fails =
        withPolicies(policy, ", locality_lb_config: {zone_aware_lb_config: {fail_traffic_on_panic: true}}");
    CHECK(fails.config->lb.hosts.fail_on_panic);
  }
  CHECK(policyOf<Random>(*compile(kPlain + "lb_policy: RANDOM").config));
}

TEST_CASE("of several policies the first that is supported counts, also behind ones that nobody knows") {
  const std::string random = ", {typed_extension_config: " + kType + "load_balancing_policies.random.v3.Random}}}";
  const std::string robin =
      ", {typed_extension_config: " + kType + "load_balancing_policies.round_robin.v3.RoundRobin}}}";

  CHECK(policyOf<Random>(*withPolicies("peak_ewma.v3.PeakEwma", ", decay_time: 7s", random + robin).config));
  CHECK(policyOf<RoundRobin>(*withPolicies("mine.v1.Mine", ", a: {b: c}", robin + random).config));
}

TEST_CASE("policies of which none is supported are refused by name") {
  const std::string errors = withPolicies("peak_ewma.v3.PeakEwma").errors;

  contains(errors,
           "load_balancing_policy: none of these policies is supported: envoy.extensions."
           "load_balancing_policies.peak_ewma.v3.PeakEwma");
  contains(errors, "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin");
  contains(compile(kPlain + "load_balancing_policy: {}").errors, "load_balancing_policy: needs a policy");
  contains(compile(kPlain + "lb_policy: LOAD_BALANCING_POLICY_CONFIG").errors, "load_balancing_policy: needs a policy");
  contains(compile(kPlain + "load_balancing_policy: {}\ncommon_lb_config: {locality_weighted_lb_config: {}}").errors,
           "common_lb_config.locality_weighted_lb_config: does not go with load_balancing_policy");
  contains(compile(kPlain + "load_balancing_policy: {}\ncommon_lb_config: {zone_aware_lb_config: {}}").errors,
           "common_lb_config.zone_aware_lb_config: does not go with load_balancing_policy");
  contains(withPolicies("least_request.v3.LeastRequest", ", choice_count: 1001").errors,
           "policies[0].typed_extension_config.typed_config.choice_count: ");
}

TEST_CASE("a policy that does not count is not looked into, one that does is") {
  ErrorList errors;
  const auto check = [&errors](const std::string& type) {
    const std::string text = kPlain + "load_balancing_policy: {policies: [{typed_extension_config: " + kType +
                             "load_balancing_policies." + type + ", choice_count: 1}}}]}\n";
    return config::validate(parse<envoy::config::cluster::v3::Cluster>(text), Context(errors));
  };

  CHECK(check("peak_ewma.v3.PeakEwma"));
  CHECK_FALSE(check("least_request.v3.LeastRequest"));
}

TEST_CASE("policies that choose freely go by zones with the defaults of Envoy, and by what is set") {
  for (const char* policy : {"ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"}) {
    const Compiled plain = compile(kPlain + "lb_policy: " + policy);
    const Compiled set = compile(kPlain + "lb_policy: " + policy +
                                 "\ncommon_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 25}, "
                                 "min_cluster_size: 3, fail_traffic_on_panic: true}}");
    REQUIRE(plain.config);
    REQUIRE(set.config);
    CHECK(plain.config->lb.hosts.zones.value().enabled == 1);
    CHECK(plain.config->lb.hosts.zones->min_cluster_size == 6);
    CHECK_FALSE(plain.config->lb.hosts.zones->force_from);
    CHECK(set.config->lb.hosts.zones.value().enabled == 0.25);
    CHECK(set.config->lb.hosts.zones->min_cluster_size == 3);
    CHECK(set.config->lb.hosts.fail_on_panic);
    CHECK(set.warnings.empty());
  }
  const Compiled never =
      compile(kPlain + "common_lb_config: {zone_aware_lb_config: {min_cluster_size: 18446744073709551615}}");
  CHECK(never.config->lb.hosts.zones->min_cluster_size > 1'000'000'000);
  const Compiled weighted = compile(kPlain + "common_lb_config: {locality_weighted_lb_config: {}}");
  CHECK_FALSE(weighted.config->lb.hosts.zones);
  const Compiled ring =
      compile(kPlain + "lb_policy: RING_HASH\ncommon_lb_config: {zone_aware_lb_config: {min_cluster_size: 3}}");
  CHECK_FALSE(ring.config->lb.hosts.zones);
  contains(ring.warnings, "common_lb_config.zone_aware_lb_config: only fail_traffic_on_panic is used");
}

TEST_CASE("the messages of policies say more of zones, also around subsets") {
  const std::string zones =
      ", locality_lb_config: {zone_aware_lb_config: {routing_enabled: {value: 50}, force_local_zone: {min_size: 2}, "
      "locality_basis: HEALTHY_HOSTS_WEIGHT}}";
  for (const char* type : {"round_robin.v3.RoundRobin", "least_request.v3.LeastRequest", "random.v3.Random"}) {
    const Compiled compiled = withPolicies(type, zones);
    REQUIRE(compiled.config);
    CHECK(compiled.config->lb.hosts.zones.value().enabled == 0.5);
    CHECK(compiled.config->lb.hosts.zones->force_from == 2);
    CHECK(compiled.config->lb.hosts.zones->by_weight);
  }
  const Compiled direct = withPolicies(
      "random.v3.Random", ", locality_lb_config: {zone_aware_lb_config: {force_locality_direct_routing: true}}");
  CHECK(direct.config->lb.hosts.zones.value().force_from == 1);
  const Compiled subsets = withPolicies(
      "subset.v3.Subset", ", subset_selectors: [{keys: [a]}], subset_lb_policy: {policies: [{typed_extension_config: " +
                              kType + "load_balancing_policies.random.v3.Random" + zones + "}}}]}");
  REQUIRE(subsets.config);
  CHECK(subsets.config->lb.hosts.zones.value().force_from == 2);
  const Compiled localities = withPolicies("wrr_locality.v3.WrrLocality",
                                           ", endpoint_picking_policy: {policies: [{typed_extension_config: " + kType +
                                               "load_balancing_policies.random.v3.Random" + zones + "}}}]}");
  REQUIRE(localities.config);
  CHECK(localities.config->lb.hosts.locality_weighted);
  CHECK_FALSE(localities.config->lb.hosts.zones);
  const Compiled unknown =
      withPolicies("random.v3.Random", ", locality_lb_config: {zone_aware_lb_config: {locality_basis: 7}}");
  contains(unknown.errors, "locality_lb_config.zone_aware_lb_config.locality_basis: has to be HEALTHY_HOSTS_NUM or");
}

TEST_CASE("which hosts filters may want is said by their status") {
  const auto statuses = [](const std::string& list) {
    return compile(kPlain + "common_lb_config: {override_host_status: {statuses: [" + list + "]}}");
  };
  using upstream::cluster::maskOf;

  CHECK(compile(kPlain).config->lb.hosts.wanted_health == (maskOf(Health::kHealthy) | maskOf(Health::kDegraded)));
  CHECK(statuses("UNKNOWN, HEALTHY, DRAINING").config->lb.hosts.wanted_health ==
        (maskOf(Health::kHealthy) | maskOf(Health::kDraining)));
  CHECK(statuses("").config->lb.hosts.wanted_health == 0);
  contains(
      statuses("HEALTHY, DRAINING").errors,
      "common_lb_config.override_host_status: a host that is not said to be well and one that is are not told apart");
}

TEST_CASE("hashing policies go by both names") {
  const std::string type =
      "{typed_extension_config: {name: a, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.load_balancing_policies.";
  const Compiled ring = compile(kPlain + "lb_policy: RING_HASH\n" +
                                "ring_hash_lb_config: {hash_function: MURMUR_HASH_2, minimum_ring_size: 7}\n" +
                                "common_lb_config: {consistent_hashing_lb_config: {use_hostname_for_hashing: true, "
                                "hash_balance_factor: 120}, locality_weighted_lb_config: {}}");
  const Compiled maglev = compile(kPlain + "lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 11}");
  const Compiled new_ring = compile(kPlain + "load_balancing_policy: {policies: [" + type +
                                    "ring_hash.v3.RingHash, use_hostname_for_hashing: true, hash_balance_factor: 130, "
                                    "maximum_ring_size: 5000, locality_weighted_lb_config: {}}}}]}");
  const Compiled new_maglev =
      compile(kPlain + "load_balancing_policy: {policies: [" + type +
              "maglev.v3.Maglev, consistent_hashing_lb_config: {hash_balance_factor: 140}}}}]}");

  REQUIRE(policyOf<RingHash>(*ring.config));
  CHECK(policyOf<RingHash>(*ring.config)->settings().murmur);
  CHECK(policyOf<RingHash>(*ring.config)->settings().minimum_size == 7);
  CHECK(policyOf<RingHash>(*ring.config)->settings().hashing.use_hostname);
  CHECK(policyOf<RingHash>(*ring.config)->settings().hashing.balance_factor == 120);
  CHECK(ring.config->lb.hosts.locality_weighted);
  REQUIRE(policyOf<Maglev>(*maglev.config));
  CHECK(policyOf<Maglev>(*maglev.config)->settings().table_size == 11);
  REQUIRE(policyOf<RingHash>(*new_ring.config));
  CHECK_FALSE(policyOf<RingHash>(*new_ring.config)->settings().murmur);
  CHECK(policyOf<RingHash>(*new_ring.config)->settings().maximum_size == 5000);
  CHECK(policyOf<RingHash>(*new_ring.config)->settings().hashing.use_hostname);
  CHECK(policyOf<RingHash>(*new_ring.config)->settings().hashing.balance_factor == 130);
  CHECK(new_ring.config->lb.hosts.locality_weighted);
  REQUIRE(policyOf<Maglev>(*new_maglev.config));
  CHECK(policyOf<Maglev>(*new_maglev.config)->settings().hashing.balance_factor == 140);
}

TEST_CASE("sizes of hash tables that cannot be are refused, and those of other policies warned of") {
  contains(compile(kPlain + "lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 5, maximum_ring_size: 4}")
               .errors,
           "ring_hash_lb_config.maximum_ring_size: is 4, below minimum_ring_size (5;");
  contains(compile(kPlain + "lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 0}").errors,
           "ring_hash_lb_config.minimum_ring_size: has to be 1 or more");
  contains(compile(kPlain + "lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 12}").errors,
           "maglev_lb_config.table_size: has to be a prime of 3 or more, not 12");
  contains(compile(kPlain + "maglev_lb_config: {table_size: 11}").warnings,
           "maglev_lb_config: not used: lb_policy is not MAGLEV");
}

TEST_CASE("subsets go around lb_policy, or around a list of policies") {
  using load_balancing_policies::subset::Fallback;
  const std::string selectors =
      "fallback_policy: DEFAULT_SUBSET, default_subset: {stage: prod}, locality_weight_aware: true, list_as_any: true, "
      "panic_mode_any: true, scale_locality_weight: true, metadata_fallback_policy: FALLBACK_LIST, subset_selectors: "
      "[{keys: [version, stage], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [stage]}, "
      "{keys: [stage], single_host_per_subset: true, fallback_policy: NO_FALLBACK}]";
  const Compiled legacy = compile(kPlain + "lb_policy: RANDOM\nlb_subset_config: {" + selectors +
                                  "}\ncommon_lb_config: {locality_weighted_lb_config: {}}");
  const Compiled listed = withPolicies(
      "subset.v3.Subset", ", " + selectors + ", subset_lb_policy: {policies: [{typed_extension_config: " + kType +
                              "load_balancing_policies.least_request.v3.LeastRequest, "
                              "locality_lb_config: {locality_weighted_lb_config: {}}}}}]}");

  for (const Compiled& compiled : {legacy, listed}) {
    INFO(compiled.errors);
    REQUIRE(compiled.config);
    REQUIRE(policyOf<Subset>(*compiled.config));
    const auto& settings = policyOf<Subset>(*compiled.config)->settings();
    CHECK(settings.fallback == Fallback::kDefaultSubset);
    CHECK(settings.default_subset.criteria().size() == 1);
    REQUIRE(settings.selectors.size() == 2);
    CHECK(settings.selectors[0].keys == std::vector<std::string>{"stage", "version"});
    CHECK(settings.selectors[0].fallback == Fallback::kFewerKeys);
    CHECK(settings.selectors[0].fallback_keys == std::vector<std::string>{"stage"});
    CHECK_FALSE(settings.selectors[0].single_host);
    CHECK(settings.selectors[1].single_host);
    CHECK(settings.selectors[1].fallback == Fallback::kNoHost);
    CHECK(settings.locality_weight_aware);
    CHECK(settings.scale_locality_weight);
    CHECK(settings.panic_mode_any);
    CHECK(settings.list_as_any);
    CHECK(settings.fallback_list);
    CHECK(compiled.config->lb.hosts.locality_weighted);
  }
  const auto innerOf = [](const Compiled& compiled) { return policyOf<Subset>(*compiled.config)->settings().inner; };
  CHECK(dynamic_cast<const Random*>(innerOf(legacy).get()));
  CHECK(dynamic_cast<const LeastRequest*>(innerOf(listed).get()));
  CHECK(policyOf<RoundRobin>(*compile(kPlain + "lb_subset_config: {}").config));
  CHECK_FALSE(compile(kPlain + "lb_subset_config: {subset_selectors: [{keys: [a]}]}\n"
                               "common_lb_config: {locality_weighted_lb_config: {}}")
                  .config->lb.hosts.locality_weighted);
}

TEST_CASE("subsets that cannot be are refused by field path") {
  const auto errors = [](const std::string& selector) {
    return compile(kPlain + "lb_subset_config: {subset_selectors: [" + selector + "]}").errors;
  };
  const std::string at = "lb_subset_config.subset_selectors[0].";
  const std::string keys = "fallback_keys_subset: has to name some of the keys of its selector, and not all of them";

  contains(errors("{}"), at + "keys: is empty");
  contains(errors("{keys: [a, b], single_host_per_subset: true}"),
           at + "single_host_per_subset: needs a selector with");
  contains(errors("{keys: [a, b], fallback_policy: KEYS_SUBSET}"), at + keys);
  contains(errors("{keys: [a, b], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [a, b]}"), at + keys);
  contains(errors("{keys: [a, b], fallback_policy: KEYS_SUBSET, fallback_keys_subset: [c]}"), at + keys);
  contains(errors("{keys: [a, b], fallback_keys_subset: [a]}"), at + "fallback_keys_subset: goes with");
  contains(compile(kPlain + "lb_subset_config: {subset_selectors: [{keys: [a, b]}, {keys: [b, a]}]}").warnings,
           "lb_subset_config.subset_selectors[1]: not used: an earlier selector has the same keys");
  contains(compile(kPlain +
                   "lb_subset_config: {subset_selectors: [{keys: [a]}]}\nload_balancing_policy: {policies: "
                   "[{typed_extension_config: " +
                   kType + "load_balancing_policies.random.v3.Random}}}]}")
               .errors,
           "lb_subset_config: does not go with load_balancing_policy");
  contains(withPolicies("subset.v3.Subset", ", subset_lb_policy: {}").errors,
           "typed_config.subset_lb_policy: needs a policy to choose hosts by, in policies");
}

TEST_CASE("slow start and the bias of active requests go by both names") {
  const std::string slow =
      "slow_start_config: {slow_start_window: 30s, aggression: {default_value: 2, runtime_key: k}, "
      "min_weight_percent: {value: 25}}";
  const std::string biased = slow + ", active_request_bias: {default_value: 0.5, runtime_key: k}";
  const Compiled robin = compile(kPlain + "round_robin_lb_config: {" + slow + "}");
  const Compiled listed_robin = withPolicies("round_robin.v3.RoundRobin", ", " + slow);
  const Compiled least = compile(kPlain + "lb_policy: LEAST_REQUEST\nleast_request_lb_config: {" + biased + "}");
  const Compiled listed_least = withPolicies("least_request.v3.LeastRequest", ", " + biased);

  for (const auto& slow_start :
       {policyOf<RoundRobin>(*robin.config)->slowStart(), policyOf<RoundRobin>(*listed_robin.config)->slowStart(),
        policyOf<LeastRequest>(*least.config)->settings().slow_start,
        policyOf<LeastRequest>(*listed_least.config)->settings().slow_start}) {
    CHECK(slow_start.window == 30s);
    CHECK(slow_start.aggression == 2);
    CHECK(slow_start.least_factor == 0.25);
  }
  CHECK(policyOf<LeastRequest>(*least.config)->settings().active_request_bias == 0.5);
  CHECK(policyOf<LeastRequest>(*listed_least.config)->settings().active_request_bias == 0.5);
  CHECK_FALSE(policyOf<RoundRobin>(*compile(kPlain).config)->slowStart().on());
  contains(compile(kPlain + "round_robin_lb_config: {slow_start_config: {aggression: {default_value: 0}}}").errors,
           "round_robin_lb_config.slow_start_config.aggression: has to be more than 0");
  contains(withPolicies("least_request.v3.LeastRequest", ", active_request_bias: {default_value: -1}").errors,
           "typed_config.active_request_bias: has to be 0 or more");
  contains(compile(kPlain + "lb_policy: RANDOM\nround_robin_lb_config: {}").warnings,
           "round_robin_lb_config: not used: lb_policy is not ROUND_ROBIN");
}

TEST_CASE("a kind of cluster of an extension is found by the type of its configuration") {
  contains(compile("name: c\ncluster_type: {name: x}").errors, "cluster_type.typed_config: has no \"@type\"");
  contains(compile("name: c\ncluster_type: {name: x, typed_config: {'@type': "
                   "type.googleapis.com/envoy.config.core.v3.HeaderValue}}")
               .errors,
           "cluster_type.typed_config: envoy.config.core.v3.HeaderValue does not configure clusters; known: "
           "envoy.extensions.clusters.aggregate.v3.ClusterConfig, envoy.extensions.clusters.dns.v3.DnsCluster");
}

TEST_CASE("a cluster by DNS has one host at one address, or one at each") {
  const std::string name =
      "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
      "{socket_address: {address: a.test, port_value: 80}}}}]}]}\n";
  const auto settings = [&](const std::string& kind) { return kindOf<Dns>(*compile(name + kind).config)->settings(); };
  const std::string type = "'@type': type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster";

  CHECK_FALSE(settings("type: STRICT_DNS").one_address);
  CHECK(settings("type: LOGICAL_DNS\ndns_lookup_family: ALL").one_address);
  CHECK(settings("type: LOGICAL_DNS\ndns_lookup_family: ALL").lookup_family == net::DnsLookupFamily::kAll);
  const clusters::dns::Settings plain = settings("cluster_type: {name: dns, typed_config: {" + type + "}}");
  CHECK_FALSE(plain.one_address);
  CHECK(plain.refresh_rate == 5s);
  CHECK(plain.lookup_family == net::DnsLookupFamily::kAuto);
  const clusters::dns::Settings all = settings(
      "cluster_type: {name: dns, typed_config: {" + type +
      ", dns_refresh_rate: 60s, dns_failure_refresh_rate: {base_interval: 1s, max_interval: 3s}, respect_dns_ttl: "
      "true, "
      "dns_jitter: 2s, dns_lookup_family: V4_PREFERRED, all_addresses_in_single_endpoint: true, dns_min_refresh_rate: "
      "10s}}");
  CHECK(all.one_address);
  CHECK(all.refresh_rate == 60s);
  CHECK(all.failure_base_interval == 1s);
  CHECK(all.failure_max_interval == 3s);
  CHECK(all.respect_ttl);
  CHECK(all.min_ttl == 10s);
  CHECK(all.jitter == 2s);
  CHECK(all.lookup_family == net::DnsLookupFamily::kV4Preferred);
}

TEST_CASE("what a cluster by DNS cannot be is told at its place") {
  const std::string endpoint = "{endpoint: {address: {socket_address: {address: a.test, port_value: 80}}}}";
  const std::string dns =
      "cluster_type: {name: dns, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster, ";
  const auto with = [&](const std::string& endpoints, const std::string& kind) {
    return compile("name: c\nload_assignment: {cluster_name: c, endpoints: [" + endpoints + "]}\n" + kind);
  };
  const std::string one = "{lb_endpoints: [" + endpoint + "]}";

  contains(with("{lb_endpoints: [" + endpoint + ", " + endpoint + "]}", "type: LOGICAL_DNS").errors,
           "load_assignment: has to have one locality with one endpoint");
  contains(with(one + ", " + one, dns + "all_addresses_in_single_endpoint: true}}").errors,
           "load_assignment: has to have one locality with one endpoint");
  contains(compile("name: c\ntype: LOGICAL_DNS").errors, "load_assignment: has to have one locality");
  contains(with(one, dns + "dns_failure_refresh_rate: {base_interval: 5s, max_interval: 4s}}}").errors,
           "cluster_type.typed_config.dns_failure_refresh_rate: max_interval must not be shorter");
  contains(with(one, dns + "dns_min_refresh_rate: 10s}}").warnings, "dns_min_refresh_rate: does nothing without");
  contains(with(one, "respect_dns_ttl: true\n" + dns + "}}").warnings, "respect_dns_ttl: does not count");
}

TEST_CASE("a cluster limits how long its streams live") {
  const auto limited = [](const std::string& duration) {
    return kPlain + "common_http_protocol_options: {max_stream_duration: " + duration + "}";
  };
  const auto limit = [&](const std::string& duration) { return compile(limited(duration)); };
  CHECK(compile(kPlain).config->http.max_stream_duration == 0ms);
  CHECK(limit("90s").config->http.max_stream_duration == 90s);
  CHECK(limit("0s").config->http.max_stream_duration == 0ms);
  ErrorList errors;
  config::validate(parse<envoy::config::cluster::v3::Cluster>(limited("-1s")), Context(errors));
  contains(errors.toString(), "common_http_protocol_options.max_stream_duration: is negative");
}

TEST_CASE("HTTP protocol options are refused when they cannot be honoured") {
  const std::string key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  auto typed = [&](const std::string& map_key, const std::string& type, const std::string& body) {
    return compile(kPlain + "typed_extension_protocol_options: {" + map_key + ": {\"@type\": type.googleapis.com/" +
                   type + ", " + body + "}}");
  };

  contains(typed("other", key, "explicit_http_config: {http_protocol_options: {}}").errors, "only the key");
  contains(typed(key, "envoy.config.core.v3.Http1ProtocolOptions", "enable_trailers: true").errors, "the type must be");
  contains(typed(key, key, "explicit_http_config: {}").errors, "say which protocol");
  const Compiled http2 = typed(key, key, "explicit_http_config: {http2_protocol_options: {}}");
  REQUIRE(http2.config);
  CHECK(http2.config->http.protocol == upstream::cluster::UpstreamProtocol::kHttp2);
  CHECK(compile(kPlain + "http2_protocol_options: {connection_keepalive: {interval: 30s, timeout: 5s}}")
            .config->http.http2_keepalive_interval == 30s);
  contains(compile(kPlain + "http2_protocol_options: {}\nhttp_protocol_options: {}").errors, "not both");

  const Compiled resets = compile(kPlain + "http2_protocol_options: {stream_reset_burst: 7, stream_reset_rate: 3}");
  CHECK(resets.config->http.http2.stream_reset_burst == 7);
  CHECK(resets.config->http.http2.stream_reset_rate == 3);

  const Compiled streams = typed(key, key,
                                 "explicit_http_config: {http2_protocol_options: {max_concurrent_streams: 7}}, "
                                 "common_http_protocol_options: {max_connection_duration: 9s}");
  REQUIRE(streams.config);
  CHECK(streams.config->http.max_concurrent_streams == 7);
  CHECK(streams.config->http.max_connection_duration == 9s);
  const Compiled same =
      typed(key, key, "use_downstream_protocol_config: {http_protocol_options: {enable_trailers: true}}");
  REQUIRE(same.config);
  CHECK(same.config->http.protocol == upstream::cluster::UpstreamProtocol::kDownstream);
  CHECK(same.config->http.enable_trailers);
  contains(typed(key, key, "auto_config: {}").errors, "transport_socket: auto_config lets the upstream choose by ALPN");
}

TEST_CASE("what has no effect is warned about") {
  contains(compile("name: c").warnings, "load_assignment: the cluster has no endpoints");
  contains(compile("name: c\nload_assignment: {cluster_name: d}").warnings, "'d' is not the cluster's name 'c'");
  contains(compile(kPlain + "least_request_lb_config: {}").warnings, "lb_policy is not LEAST_REQUEST");
  contains(compile(kPlain + "circuit_breakers: {thresholds: [{}, {max_requests: 1}]}").warnings,
           "circuit_breakers.thresholds[1]: not used");
}

TEST_CASE("values out of range are refused") {
  contains(compile(kPlain + "connect_timeout: 0s").errors, "connect_timeout: ");
  contains(compile(kPlain + "least_request_lb_config: {choice_count: 1}\nlb_policy: LEAST_REQUEST").errors,
           "least_request_lb_config.choice_count: ");
  contains(compile(kPlain + "least_request_lb_config: {choice_count: 4000000000}\nlb_policy: LEAST_REQUEST").errors,
           "least_request_lb_config.choice_count: ");
  contains(compile(kPlain + "type: STRICT_DNS\ndns_failure_refresh_rate: {base_interval: 5s, max_interval: 4s}").errors,
           "dns_failure_refresh_rate: max_interval must not be shorter");
  contains(compile(kPlain + "type: STRICT_DNS\ndns_refresh_rate: 0.001s").errors, "dns_refresh_rate: ");
}

TEST_CASE("an enormous duration is cut to ten years") {
  CHECK(compile(kPlain + "connect_timeout: 315000000000s").config->connect_timeout == 24h * 3650);
}

TEST_CASE("metadata of a cluster and of its endpoints is kept for formatters") {
  const auto compiled = compile(
      "name: c\nmetadata: {filter_metadata: {f: {z: 1, a: [x]}}}\n"
      "load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{metadata: {filter_metadata: {g: {k: v}}}, "
      "endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}]}\n");

  REQUIRE(compiled.config);
  REQUIRE(compiled.config->metadata);
  const auto& fields = std::get<stream::MetadataFields>(compiled.config->metadata.fields()->at(0).value.value);
  CHECK(fields.at(0).name == "a");
  CHECK(fields.at(1).name == "z");
  const stream::FixedMetadata& host =
      dynamic_cast<const Static&>(*compiled.config->kind).endpoints().localities[0].endpoints[0].metadata;
  REQUIRE(host);
  CHECK(std::get<std::string>(stream::findMetadata(*host.fields(), "g", {"k"})->value) == "v");
  CHECK_FALSE(compile(kPlain).config->metadata);
}

TEST_CASE("equal clusters have equal hashes and any change another one") {
  const auto a = compile(kPlain).config;

  CHECK(a->content_hash == compile(kPlain).config->content_hash);
  CHECK(a->content_hash != compile(kPlain + "connect_timeout: 1s").config->content_hash);
}

TEST_CASE("an EDS answer is compiled, and refused under another name or with a host name") {
  const std::string body = ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: ";
  const std::string end = ", port_value: 80}}}, health_status: DRAINING}]}]}";
  ErrorList errors;
  auto eds = [&](const std::string& name, const std::string& address) {
    const auto proto =
        parse<envoy::config::endpoint::v3::ClusterLoadAssignment>("{cluster_name: " + name + body + address + end);
    return config::compileEdsAssignment(proto, "s", Context(errors));
  };

  const auto good = eds("s", "10.0.0.1");
  REQUIRE(good);
  CHECK(good->localities[0].endpoints[0].health == Health::kDraining);
  CHECK_FALSE(eds("t", "10.0.0.1"));
  contains(errors.toString(), "cluster_name: 't' is not the name that was asked for, 's'");
  CHECK_FALSE(eds("s", "a.test"));
}

}  // namespace
}  // namespace sluice::extensions
