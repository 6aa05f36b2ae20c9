#include "source/config/assignment_compiler.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "source/config/format/substitution_format.h"
#include "source/config/route_texts.h"
#include "source/config/runtime_compiler.h"
#include "source/config/values.h"
#include "source/net/dns_name.h"

namespace sluice::config {

namespace {

using envoy::config::endpoint::v3::ClusterLoadAssignment;
using upstream::cluster::Assignment;
using upstream::cluster::Endpoint;
using upstream::cluster::Health;
using upstream::cluster::LocalityEndpoints;

constexpr uint64_t kMaxWeightSum = UINT32_MAX;

bool compileSocketAddress(const envoy::config::core::v3::SocketAddress& socket, EndpointNames names,
                          const Context& context, Endpoint& out) {
  if (socket.port_value() == 0 || socket.port_value() > 65535) {
    context.child("port_value").error("an upstream host needs a port from 1 to 65535");
    return false;
  }
  const auto port = static_cast<uint16_t>(socket.port_value());
  if (const std::optional<net::Address> address = net::Address::fromIp(socket.address(), port)) {
    out.address = *address;
    return true;
  }
  if (names == EndpointNames::kAddressesOnly) {
    context.child("address").error(absl::StrCat("'", socket.address(),
                                                "' is not an IP address; only clusters of type STRICT_DNS resolve "
                                                "host names"));
    return false;
  }
  if (!net::isDnsName(socket.address())) {
    context.child("address").error(absl::StrCat("'", socket.address(), "' is neither an IP address nor a host name"));
    return false;
  }
  out.dns_name = socket.address();
  out.dns_port = port;
  return true;
}

bool compileInternalAddress(const envoy::config::core::v3::EnvoyInternalAddress& internal, const Context& context,
                            Endpoint& out) {
  const auto address = net::Address::ofListener(internal.server_listener_name(), internal.endpoint_id());
  if (!address.ok()) {
    context.child("server_listener_name").error(std::string(address.status().message()));
    return false;
  }
  out.address = *address;
  return true;
}

bool compileAddress(const envoy::config::core::v3::Address& address, EndpointNames names, const Context& context,
                    Endpoint& out) {
  if (address.has_socket_address()) {
    return compileSocketAddress(address.socket_address(), names, context.child("socket_address"), out);
  }
  if (address.has_envoy_internal_address()) {
    return compileInternalAddress(address.envoy_internal_address(), context.child("envoy_internal_address"), out);
  }
  if (!address.has_pipe()) {
    context.error("an endpoint needs an address: socket_address, pipe or envoy_internal_address");
    return false;
  }
  const auto path = net::Address::fromUnixPath(address.pipe().path());
  if (!path.ok()) {
    context.child("pipe").child("path").error(std::string(path.status().message()));
    return false;
  }
  out.address = *path;
  return true;
}

// Where connections go, too. A name gives all its addresses without them.
void compileAdditional(const envoy::config::endpoint::v3::Endpoint& proto, EndpointNames names, const Context& context,
                       Endpoint& out) {
  if (proto.additional_addresses().empty()) return;
  if (names != EndpointNames::kAddressesOnly) {
    return context.child("additional_addresses", 0)
        .error(
            "goes with clusters of type STATIC and EDS only; of a name the DNS gives the addresses (LOGICAL_DNS tries "
            "all of them)");
  }
  for (int i = 0; i < proto.additional_addresses_size(); ++i) {
    Endpoint other;
    const Context at = context.child("additional_addresses", static_cast<size_t>(i)).child("address");
    const auto& socket = proto.additional_addresses(i).address().socket_address();
    if (socket.protocol() == envoy::config::core::v3::SocketAddress::UDP) {
      at.child("socket_address")
          .child("protocol")
          .error("goes to the endpoint's address only; nothing connects by UDP");
      continue;
    }
    if (!compileAddress(proto.additional_addresses(i).address(), names, at, other)) continue;
    if (other.address.isListener()) {
      at.child("envoy_internal_address").error("can only be the endpoint's address itself; remove it here");
    }
    out.additional.push_back(other.address);
  }
}

upstream::cluster::EndpointCheck compileCheck(const envoy::config::endpoint::v3::Endpoint::HealthCheckConfig& proto,
                                              const Context& context) {
  upstream::cluster::EndpointCheck out;
  out.wanted = !proto.disable_active_health_check();
  out.port = static_cast<uint16_t>(proto.port_value());
  out.hostname = proto.hostname();
  checkHostText(out.hostname, context.child("hostname"));
  if (!proto.has_address()) return out;
  Endpoint at;
  if (compileAddress(proto.address(), EndpointNames::kAddressesOnly, context.child("address"), at)) {
    if (at.address.isListener()) {
      context.child("address").child("envoy_internal_address").error("cannot be checked; name what stands behind it");
    }
    out.address = at.address;
  }
  return out;
}

// What connections and checks need; not what an lb_endpoint says of it.
std::optional<Endpoint> compileHost(const envoy::config::endpoint::v3::Endpoint& proto, EndpointNames names,
                                    const Context& context) {
  Endpoint out;
  if (!compileAddress(proto.address(), names, context.child("address"), out)) return std::nullopt;
  compileAdditional(proto, names, context, out);
  out.hostname = proto.hostname();
  checkHostText(out.hostname, context.child("hostname"));
  out.check = compileCheck(proto.health_check_config(), context.child("health_check_config"));
  // Internal listeners are on workers only, checks on main.
  if (out.address.isListener() && !out.check.address) out.check.wanted = false;
  return out;
}

// One use: compiles the endpoints of one assignment.
class EndpointsCompiler {
 public:
  // `context` stands at the assignment.
  EndpointsCompiler(const ClusterLoadAssignment& proto, EndpointNames names, const Context& context)
      : proto_(proto), names_(names), context_(context) {
    for (const auto& [name, endpoint] : proto.named_endpoints()) {
      std::optional<Endpoint> host = compileHost(endpoint, names, context.entry("named_endpoints", name));
      if (host) named_.emplace(name, Named{std::move(*host), false});
    }
  }

  LocalityEndpoints compileLocality(const envoy::config::endpoint::v3::LocalityLbEndpoints& proto,
                                    const Context& context) {
    LocalityEndpoints out;
    out.locality = {proto.locality().region(), proto.locality().zone(), proto.locality().sub_zone()};
    out.weight = proto.load_balancing_weight().value();
    out.priority = proto.priority();
    uint64_t sum = 0;
    for (int i = 0; i < proto.lb_endpoints_size(); ++i) {
      const Context at = context.child("lb_endpoints", static_cast<size_t>(i));
      std::optional<Endpoint> endpoint = compileEndpoint(proto.lb_endpoints(i), at);
      if (!endpoint) continue;
      sum += endpoint->weight;
      out.endpoints.push_back(std::move(*endpoint));
    }
    if (sum > kMaxWeightSum) {
      context.error(absl::StrCat("the weights of one locality's endpoints sum to ", sum, "; at most ", kMaxWeightSum,
                                 " is possible"));
    }
    return out;
  }

  void warnOfUnused() const {
    for (const auto& [name, named] : named_) {
      if (!named.used) context_.entry("named_endpoints", name).warn("not used: no endpoint_name is this one");
    }
  }

 private:
  struct Named {
    Endpoint host;
    bool used;
  };

  std::optional<Endpoint> hostOf(const envoy::config::endpoint::v3::LbEndpoint& proto, const Context& context) {
    if (proto.has_endpoint()) return compileHost(proto.endpoint(), names_, context.child("endpoint"));
    if (proto.endpoint_name().empty()) {
      context.error("an lb_endpoint needs its endpoint, or the endpoint_name of one of named_endpoints");
      return std::nullopt;
    }
    if (const auto at = named_.find(proto.endpoint_name()); at != named_.end()) {
      at->second.used = true;
      return at->second.host;
    }
    if (!proto_.named_endpoints().contains(proto.endpoint_name())) {
      context.child("endpoint_name")
          .error(absl::StrCat("'", proto.endpoint_name(), "' is none of named_endpoints; name it there"));
    }
    return std::nullopt;
  }

  std::optional<Endpoint> compileEndpoint(const envoy::config::endpoint::v3::LbEndpoint& proto,
                                          const Context& context) {
    std::optional<Endpoint> out = hostOf(proto, context);
    if (!out) return out;
    out->health = healthOf(proto.health_status());
    out->metadata = metadataOf(proto.metadata());
    if (proto.has_load_balancing_weight()) out->weight = proto.load_balancing_weight().value();
    if (out->weight != 0) return out;
    context.child("load_balancing_weight").error("a weight must be 1 or more; leave the endpoint out to take it away");
    return std::nullopt;
  }

  const ClusterLoadAssignment& proto_;
  const EndpointNames names_;
  const Context& context_;
  std::map<std::string, Named> named_;  // those that are as they should be
};

// All of them, one after the other.
void compileDrops(const ClusterLoadAssignment::Policy& policy, Assignment& out) {
  constexpr double kMillion = 1'000'000;
  double sent = 1;
  for (const auto& drop : policy.drop_overloads()) {
    const runtime::Fraction fraction = compileFraction(drop.drop_percentage());
    absl::StrAppend(&out.drop_categories, out.drop_categories.empty() ? "" : ", ", drop.category());
    sent *= 1 - std::min(1.0, static_cast<double>(fraction.numerator) / fraction.denominator);
  }
  out.drop_per_million = static_cast<uint32_t>(std::lround((1 - sent) * kMillion));
}

}  // namespace

Health healthOf(envoy::config::core::v3::HealthStatus status) {
  switch (status) {
    case envoy::config::core::v3::UNHEALTHY:
      return Health::kUnhealthy;
    case envoy::config::core::v3::DRAINING:
      return Health::kDraining;
    case envoy::config::core::v3::TIMEOUT:
      return Health::kTimeout;
    case envoy::config::core::v3::DEGRADED:
      return Health::kDegraded;
    default:
      return Health::kHealthy;
  }
}

Assignment compileAssignment(const ClusterLoadAssignment& assignment, EndpointNames names, const Context& context) {
  Assignment out;
  EndpointsCompiler endpoints(assignment, names, context);
  std::map<uint32_t, uint64_t> weights_by_priority;
  for (int i = 0; i < assignment.endpoints_size(); ++i) {
    const Context at = context.child("endpoints", static_cast<size_t>(i));
    if (assignment.endpoints(i).priority() > 128) {
      at.child("priority").error("a priority is at most 128");
      continue;
    }
    out.localities.push_back(endpoints.compileLocality(assignment.endpoints(i), at));
    uint64_t& sum = weights_by_priority[out.localities.back().priority];
    const bool fitted = sum <= kMaxWeightSum;
    sum += out.localities.back().weight;
    if (fitted && sum > kMaxWeightSum) {
      at.child("load_balancing_weight")
          .error(absl::StrCat("the weights of the localities of priority ", out.localities.back().priority,
                              " sum to more than ", kMaxWeightSum));
    }
  }
  endpoints.warnOfUnused();
  compileDrops(assignment.policy(), out);
  if (assignment.policy().has_endpoint_stale_after()) {
    out.stale_after = compileMilliseconds(assignment.policy().endpoint_stale_after());
  }
  if (assignment.policy().has_overprovisioning_factor()) {
    out.overprovisioning_factor = assignment.policy().overprovisioning_factor().value();
    if (out.overprovisioning_factor == 0) {
      context.child("policy").child("overprovisioning_factor").error("the overprovisioning factor must be above 0");
    }
  }
  return out;
}

Assignment compileOwnAssignment(const envoy::config::cluster::v3::Cluster& cluster, EndpointNames names,
                                const Context& context) {
  const Context at = context.child("load_assignment");
  if (!cluster.has_load_assignment()) {
    at.warn("the cluster has no endpoints: every request to it will be answered with 503");
    return {};
  }
  if (cluster.load_assignment().cluster_name() != cluster.name()) {
    at.child("cluster_name")
        .warn(absl::StrCat("'", cluster.load_assignment().cluster_name(), "' is not the cluster's name '",
                           cluster.name(), "'"));
  }
  if (cluster.load_assignment().policy().has_endpoint_stale_after()) {
    at.child("policy").child("endpoint_stale_after").warn("not used: only endpoints that come by EDS grow stale");
  }
  return compileAssignment(cluster.load_assignment(), names, at);
}

}  // namespace sluice::config
