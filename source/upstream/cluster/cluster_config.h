// The compiled, immutable configuration of one cluster: everything but its current hosts.
//
// Made on main by the cluster compiler, shared by all workers. (proto: envoy.config.cluster.v3.Cluster)
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/http/codec.h"
#include "source/net/socket.h"
#include "source/net/transport.h"
#include "source/upstream/cluster/breakers.h"
#include "source/upstream/cluster/health_check_config.h"
#include "source/upstream/cluster/host_set.h"
#include "source/upstream/cluster/host_source.h"
#include "source/upstream/cluster/outlier_config.h"
#include "source/upstream/cluster/redis_auth.h"
#include "source/upstream/cluster/transport_match.h"
#include "source/upstream/lb/policy.h"

namespace sluice::filter {
class ChainConfig;
}

namespace sluice::route {
struct RequestPolicies;
}

namespace sluice::upstream::cluster {

struct LbConfig {
  std::shared_ptr<const lb::LbPolicy> policy;  // null: no host is ever chosen
  // How hosts are split up before the policy chooses: panic, and whether localities have weights.
  HostSetOptions hosts;
};

enum class UpstreamProtocol : uint8_t {
  kHttp1,
  kHttp2,
  kAuto,        // what the host chooses by ALPN; needs a TLS transport
  kDownstream,  // HTTP/2 for requests that came by it, else HTTP/1
};

// What a TLS transport offers the host.
inline const std::vector<std::string>& alpnOf(UpstreamProtocol protocol) {
  static const std::vector<std::string> h1{"http/1.1"}, h2{"h2"}, both{"h2", "http/1.1"};
  return protocol == UpstreamProtocol::kHttp2 ? h2 : protocol == UpstreamProtocol::kAuto ? both : h1;
}

struct UpstreamHttpConfig {
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  uint32_t max_requests_per_connection = 0;              // 0: no limit
  std::chrono::milliseconds idle_timeout{3'600'000};     // 0: never closed for being idle
  std::chrono::milliseconds max_connection_duration{0};  // 0: no limit
  double max_connection_duration_jitter = 0;             // up to this part of it is added
  std::chrono::milliseconds max_stream_duration{0};      // of an attempt, from its head on; 0: no limit
  uint32_t max_headers_count = 100;                      // of a response
  uint32_t max_header_bytes = 60 * 1024;                 // of a response
  bool enable_trailers = false;                          // HTTP/1: pass chunked trailers on to and from the upstream
  bool allow_chunked_length = false;  // a response with both content-length and chunked: drop the length
  http::NameCase name_case = http::NameCase::kLower;  // HTTP/1
  bool absolute_target = false;                       // HTTP/1: requests name scheme and host in their first line
  http::Http2Settings http2;
  uint32_t max_concurrent_streams = INT32_MAX;            // on one connection, if the host allows as many
  std::chrono::milliseconds http2_keepalive_interval{0};  // 0: no pings
  std::chrono::milliseconds http2_keepalive_timeout{0};
  std::chrono::milliseconds http2_idle_interval{0};  // of a host's silence before a request; 0: no ping
  uint32_t http2_keepalive_jitter_percent = 15;      // of the interval, added to it
  // TLS (proto: UpstreamHttpProtocolOptions): the SNI is the request's host, or that header's value if it is there; the
  // certificate must be for it.
  bool auto_sni = false;
  bool auto_san_validation = false;
  std::string override_auto_sni_header;  // in lower case
};

// What follows from changes of hosts.
struct HostChanges {
  bool close_on_failure = false;  // connections to a host that checks or outlier detection fail
  bool close_on_change = false;   // those to all hosts where one came or left
  // A host leaves with its endpoint, even if active checks find it well.
  bool ignore_health_on_removal = false;
  // What changes of hosts that stay reaches workers at most once in this time. 0: each does.
  std::chrono::milliseconds merge_window{0};
};

struct ClusterConfig {
  std::string name;
  stream::FixedMetadata metadata;  // for formatters
  std::string stat_name;           // alt_stat_name or name, with ':' replaced by '_'
  std::shared_ptr<const ClusterKind> kind;
  std::chrono::milliseconds connect_timeout{5000};
  uint32_t per_connection_buffer_limit = 1024 * 1024;  // bytes
  net::ConnectOptions connect;
  LbConfig lb;
  double preconnect_ratio = 1;  // of requests at a host that connections are made for; 1 to 3
  double predictive_ratio = 1;  // the same of requests at all hosts; above 1 only if the policy chooses ahead
  ThresholdsByPriority thresholds;
  // Connections of a host, by priority. (proto: CircuitBreakers.per_host_thresholds)
  std::array<uint32_t, kRoutingPriorities> host_connections{kNoHostLimit, kNoHostLimit};
  UpstreamHttpConfig http;
  std::shared_ptr<const route::RequestPolicies> request_policies;  // null: requests go by their routes' alone
  // What requests pass on their way to a host. Null: nothing. (proto: HttpProtocolOptions.http_filters)
  std::shared_ptr<const filter::ChainConfig> http_filters;
  std::shared_ptr<const RedisAuth> redis_auth;             // null: nothing is said to hosts of Redis
  std::shared_ptr<const net::TransportFactory> transport;  // null: plain; of hosts that none of these fits:
  TransportMatches transport_matches;
  // A host is well when each of these says so; none: hosts are not asked.
  std::vector<std::shared_ptr<const HealthCheckConfig>> health_checks;
  std::shared_ptr<const OutlierConfig> outlier;  // null: none is ejected
  HostChanges host_changes;
  uint64_t content_hash = 0;  // equal hashes of one name: unchanged, the update is skipped

  // Of connections to a host with this metadata; null: plain.
  const net::TransportFactory* transportOf(const stream::FixedMetadata& host) const {
    if (transport_matches.empty()) return transport.get();
    const TransportMatch* const match = transport_matches.find(host);
    return match != nullptr ? match->transport.get() : transport.get();
  }
};

}  // namespace sluice::upstream::cluster
