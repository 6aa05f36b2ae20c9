// Endpoints of clusters as configured: addresses, names, checks and weights.
#include <string>

#include "source/extensions/clusters/static_cluster/kind.h"
#include "source/extensions/test_clusters.h"

namespace sluice::extensions {
namespace {

using Static = clusters::static_cluster::Kind;

TEST_CASE("a bad endpoint is refused by field path") {
  const std::string path = "load_assignment.endpoints[0].lb_endpoints[0]";

  contains(compile(withEndpoint("socket_address: {address: a.test, port_value: 80}")).errors,
           path + ".endpoint.address.socket_address.address: 'a.test' is not an IP address");
  contains(compile(withEndpoint("socket_address: {address: 127.0.0.1, port_value: 0}")).errors,
           path + ".endpoint.address.socket_address.port_value: an upstream host needs a port");
  contains(compile(withEndpoint("pipe: {path: " + std::string(120, 'a') + "}")).errors,
           path + ".endpoint.address.pipe.path: the path of a Unix socket has 120 bytes");
  contains(compile(withEndpoint("socket_address: {address: 'a b', port_value: 80}", "type: STRICT_DNS")).errors,
           "'a b' is neither an IP address nor a host name");
  contains(compile("name: c\nload_assignment: {endpoints: [{lb_endpoints: [{}]}]}").errors,
           path + ": an lb_endpoint needs its endpoint");
}

TEST_CASE("an endpoint may be an internal listener") {
  const Compiled compiled =
      compile(withEndpoint("envoy_internal_address: {server_listener_name: inner, endpoint_id: one}"));
  REQUIRE(compiled.config);
  CHECK(kindOf<Static>(*compiled.config)->endpoints().localities[0].endpoints[0].address.toString() ==
        "envoy://inner/one");
  contains(
      compile(withEndpoint("envoy_internal_address: {server_listener_name: " + std::string(101, 'a') + "}")).errors,
      "envoy_internal_address.server_listener_name: the names of an internal listener and its endpoint have 101 "
      "bytes; at most 100 are possible");
}

TEST_CASE("an internal listener is checked where a check has an address of its own, and nothing else connects to it") {
  const auto endpoint = [](const std::string& more) {
    return compile(
        "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: "
        "{envoy_internal_address: {server_listener_name: inner}}" +
        more + "}}]}]}\n");
  };
  const auto checked = [&](const std::string& more) {
    const Compiled compiled = endpoint(more);
    REQUIRE(compiled.config);
    return kindOf<Static>(*compiled.config)->endpoints().localities[0].endpoints[0].check.wanted;
  };
  CHECK_FALSE(checked(""));
  CHECK(checked(", health_check_config: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}"));

  const std::string inner = "{envoy_internal_address: {server_listener_name: other}}";
  contains(endpoint(", health_check_config: {address: " + inner + "}").errors,
           "health_check_config.address.envoy_internal_address: cannot be checked");
  contains(endpoint(", additional_addresses: [{address: " + inner + "}]").errors,
           "additional_addresses[0].address.envoy_internal_address: can only be the endpoint's address itself");
}

// Of a cluster with one locality of this, and the rest of its assignment.
std::string withEndpoints(const std::string& endpoints, const std::string& rest = "", const std::string& cluster = "") {
  return "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [" + endpoints + "]}]" + rest + "}\n" +
         cluster;
}

TEST_CASE("an endpoint may have further addresses where it has one") {
  const std::string host = "address: {socket_address: {address: 10.0.0.1, port_value: 80}}, additional_addresses: ";
  const Compiled compiled =
      compile(withEndpoints("{endpoint: {" + host +
                            "[{address: {socket_address: {address: 'fd00::1', port_value: 81}}}, {address: {pipe: "
                            "{path: /a}}}]}}"));
  REQUIRE(compiled.config);
  const auto& endpoint = kindOf<Static>(*compiled.config)->endpoints().localities[0].endpoints[0];
  CHECK(endpoint.address.toString() == "10.0.0.1:80");
  REQUIRE(endpoint.additional.size() == 2);
  CHECK(endpoint.additional[0].toString() == "[fd00::1]:81");
  CHECK(endpoint.additional[1].toString() == "/a");

  const std::string path = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.additional_addresses[0]";
  const auto errors = [&](const std::string& address, const std::string& cluster = "") {
    return compile(withEndpoints("{endpoint: {" + host + "[" + address + "]}}", "", cluster)).errors;
  };
  contains(errors("{}"), path + ".address: an endpoint needs an address");
  contains(errors("{address: {socket_address: {address: a.test, port_value: 80}}}"), "'a.test' is not an IP address");
  contains(errors("{address: {socket_address: {address: 10.0.0.2, port_value: 80, protocol: UDP}}}"),
           path + ".address.socket_address.protocol: goes to the endpoint's address only");
  for (const char* type : {"type: STRICT_DNS", "type: LOGICAL_DNS"}) {
    contains(errors("{address: {pipe: {path: /a}}}", type), path + ": goes with clusters of type STATIC and EDS only");
  }
}

TEST_CASE("families of addresses take turns as it is configured") {
  const auto families = [](const std::string& config) {
    return compile(kPlain + "upstream_connection_options: {happy_eyeballs_config: {" + config + "}}");
  };
  CHECK(compile(kPlain).config->lb.hosts.families.first == net::Address::Family::kNone);
  CHECK(compile(kPlain).config->lb.hosts.families.first_count == 1);
  const Compiled six = families("first_address_family_version: V6, first_address_family_count: 2");
  REQUIRE(six.config);
  CHECK(six.config->lb.hosts.families.first == net::Address::Family::kIpv6);
  CHECK(six.config->lb.hosts.families.first_count == 2);
  const std::string path = "upstream_connection_options.happy_eyeballs_config";
  contains(families("first_address_family_version: INTERNAL").errors,
           path + ".first_address_family_version: no host has such an address");
  contains(families("first_address_family_count: 0").errors, path + ".first_address_family_count: must be 1 or more");
}

TEST_CASE("an endpoint may be known by a name") {
  const std::string named =
      ", named_endpoints: {a: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}, hostname: one}}";
  const Compiled compiled = compile(withEndpoints("{endpoint_name: a, load_balancing_weight: 3}", named));
  REQUIRE(compiled.config);
  const auto& endpoint = kindOf<Static>(*compiled.config)->endpoints().localities[0].endpoints[0];
  CHECK(endpoint.address.toString() == "10.0.0.1:80");
  CHECK(endpoint.hostname == "one");
  CHECK(endpoint.weight == 3);
  CHECK(compiled.warnings.empty());

  contains(compile(withEndpoints("{endpoint_name: b}", named)).errors,
           "load_assignment.endpoints[0].lb_endpoints[0].endpoint_name: 'b' is none of named_endpoints");
  contains(compile(withEndpoints("", named)).warnings, "not used: no endpoint_name is this one");
  const std::string bad = compile(withEndpoints("{endpoint_name: a}", ", named_endpoints: {a: {}}")).errors;
  contains(bad, ".address: an endpoint needs an address");
  CHECK(bad.find("is none of named_endpoints") == std::string::npos);
}

TEST_CASE("checks of an endpoint may go to an address of their own") {
  const auto check = [](const std::string& config) {
    return compile(withEndpoints("{endpoint: {address: {pipe: {path: /a}}, health_check_config: {" + config + "}}}"));
  };
  const Compiled compiled = check("address: {socket_address: {address: 10.0.0.9, port_value: 81}}");
  REQUIRE(compiled.config);
  const auto& endpoint = kindOf<Static>(*compiled.config)->endpoints().localities[0].endpoints[0];
  CHECK(endpoint.check.address.toString() == "10.0.0.9:81");
  contains(check("address: {socket_address: {address: a.test, port_value: 81}}").errors,
           "health_check_config.address.socket_address.address: 'a.test' is not an IP address");
}

TEST_CASE("a hostname is one that can stand in a request") {
  const std::string address = "address: {pipe: {path: /a}}, ";
  const std::string path = "load_assignment.endpoints[0].lb_endpoints[0].endpoint";
  contains(compile(withEndpoints("{endpoint: {" + address + "hostname: \"a\\r\\nb\"}}")).errors, path + ".hostname: ");
  contains(compile(withEndpoints("{endpoint: {" + address + "health_check_config: {hostname: \"a b\"}}}")).errors,
           path + ".health_check_config.hostname: ");
  CHECK(compile(withEndpoints("{endpoint: {" + address + "hostname: a.test}}")).config);
}

TEST_CASE("weights must fit") {
  const std::string endpoint = "{endpoint: {address: {pipe: {path: /a}}}, load_balancing_weight: ";
  const std::string begin = "name: c\nload_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [";

  contains(compile(begin + endpoint + "0}]}]}").errors, "load_balancing_weight: a weight must be 1 or more");
  contains(compile(begin + endpoint + "4294967295}, " + endpoint + "1}]}]}").errors,
           "load_assignment.endpoints[0]: the weights of one locality's endpoints sum to 4294967296");
  CHECK(compile(begin + endpoint + "4294967294}, " + endpoint + "1}]}]}").config);
  contains(compile("name: c\nload_assignment: {cluster_name: c, endpoints: [{load_balancing_weight: 4294967295}, "
                   "{load_balancing_weight: 1}]}")
               .errors,
           "load_assignment.endpoints[1].load_balancing_weight: the weights of the localities of priority 0");
}

}  // namespace
}  // namespace sluice::extensions
