// The compiled, immutable configuration of one cluster: everything but its current hosts.
//
// Made on main by the cluster compiler, shared by all workers. (proto: envoy.config.cluster.v3.Cluster)
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "source/net/dns_lookup_family.h"
#include "source/upstream/cluster/assignment.h"
#include "source/upstream/cluster/breakers.h"

namespace sluice::upstream::cluster {

enum class DiscoveryType : uint8_t { kStatic, kStrictDns, kEds };

enum class LbPolicy : uint8_t { kRoundRobin, kLeastRequest, kRandom };

struct LbConfig {
  LbPolicy policy = LbPolicy::kRoundRobin;
  uint32_t choice_count = 2;         // LEAST_REQUEST, hosts of equal weight
  double active_request_bias = 1.0;  // LEAST_REQUEST, hosts of unequal weight
  // Below this share of available hosts (percent) all hosts of the priority are used. 0 switches panic off.
  double panic_threshold = 50.0;
  bool locality_weighted = false;  // (proto: CommonLbConfig.locality_weighted_lb_config)

  friend bool operator==(const LbConfig&, const LbConfig&) = default;
};

struct DnsConfig {
  std::chrono::milliseconds refresh_rate{5000};
  // After a failed query: full jitter from base up to a doubling limit. Not set: refresh_rate, jittered.
  std::chrono::milliseconds failure_base_interval{0};
  std::chrono::milliseconds failure_max_interval{0};
  std::chrono::milliseconds jitter{0};  // a random share of it is added to each refresh
  bool respect_ttl = false;
  net::DnsLookupFamily lookup_family = net::DnsLookupFamily::kAuto;
};

enum class UpstreamProtocol : uint8_t {
  kHttp1,
  kHttp2,  // gRPC configuration sources only; a route to such a cluster is refused until HTTP/2 upstreams exist
};

struct UpstreamHttpConfig {
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  uint32_t max_requests_per_connection = 0;           // 0: no limit
  std::chrono::milliseconds idle_timeout{3'600'000};  // 0: never closed for being idle
  uint32_t max_headers_count = 100;                   // of a response
  bool enable_trailers = false;                       // pass chunked trailers on to and from the upstream
  bool allow_chunked_length = false;  // a response with both content-length and chunked: drop the length
  std::chrono::milliseconds http2_keepalive_interval{0};  // 0: no pings (gRPC sources)
  std::chrono::milliseconds http2_keepalive_timeout{0};
};

struct ClusterConfig {
  std::string name;
  std::string stat_name;  // alt_stat_name or name, with ':' replaced by '_'
  DiscoveryType discovery = DiscoveryType::kStatic;
  std::string eds_service_name;  // EDS: the name to subscribe to (service_name or the cluster's name)
  std::chrono::milliseconds connect_timeout{5000};
  uint32_t per_connection_buffer_limit = 1024 * 1024;  // bytes
  LbConfig lb;
  ThresholdsByPriority thresholds;
  UpstreamHttpConfig http;
  DnsConfig dns;
  Assignment assignment;      // STATIC: the hosts; STRICT_DNS: the names; EDS: empty
  uint64_t content_hash = 0;  // equal hashes of one name: unchanged, the update is skipped
};

}  // namespace sluice::upstream::cluster
