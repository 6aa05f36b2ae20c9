// The endpoints of a cluster as configuration gives them, free of protos: what HostSet is built from.
//
// Thread: main. Made by the compilers, and by sources of hosts that find addresses themselves (DNS).
// (proto: envoy.config.endpoint.v3.ClusterLoadAssignment)
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "source/net/address.h"
#include "source/stream/metadata.h"

namespace sluice::upstream::cluster {

// What the configuration says about an endpoint. (proto: envoy.config.core.v3.HealthStatus: UNKNOWN and HEALTHY are
// kHealthy; UNHEALTHY, DRAINING and TIMEOUT get no new requests)
enum class Health : uint8_t { kHealthy, kDegraded, kUnhealthy, kDraining, kTimeout };

struct Locality {
  std::string region;
  std::string zone;
  std::string sub_zone;

  friend auto operator<=>(const Locality&, const Locality&) = default;
};

// How an endpoint is checked. (proto: Endpoint.HealthCheckConfig)
struct EndpointCheck {
  bool wanted = true;
  uint16_t port = 0;     // 0: the endpoint's own
  std::string hostname;  // empty: what the check says
  net::Address address;  // none: the endpoint's own

  // As it is for an endpoint that says nothing of it.
  bool plain() const { return wanted && port == 0 && hostname.empty() && !address; }

  friend bool operator==(const EndpointCheck&, const EndpointCheck&) = default;
};

struct Endpoint {
  net::Address address;  // none while `dns_name` is still to be resolved
  // Where connections go, too; beside `address`, which comes first. (proto: Endpoint.additional_addresses)
  std::vector<net::Address> additional;
  std::string dns_name;   // of clusters by DNS: the name that gives the addresses
  uint16_t dns_port = 0;  // of clusters by DNS
  std::string hostname;   // for logs, admin pages and host rewrite; may be empty
  uint32_t weight = 1;
  Health health = Health::kHealthy;
  stream::FixedMetadata metadata;  // for formatters
  EndpointCheck check;
  bool leaving = false;  // it is told of no more, and stays while checks find it well

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct LocalityEndpoints {
  Locality locality;
  // 0: not set. Used only with locality_weighted_lb_config, where 0 means no traffic while one with a weight has hosts.
  uint32_t weight = 0;
  uint32_t priority = 0;
  std::vector<Endpoint> endpoints;

  friend bool operator==(const LocalityEndpoints&, const LocalityEndpoints&) = default;
};

struct Assignment {
  std::vector<LocalityEndpoints> localities;
  uint32_t overprovisioning_factor = 140;    // percent
  uint32_t drop_per_million = 0;             // requests that are not to be sent (proto: Policy.drop_overloads)
  std::string drop_categories;               // why: "lb, throttle"
  std::chrono::milliseconds stale_after{0};  // without news for so long it holds no more; 0: it holds for ever

  friend bool operator==(const Assignment&, const Assignment&) = default;
};

}  // namespace sluice::upstream::cluster
