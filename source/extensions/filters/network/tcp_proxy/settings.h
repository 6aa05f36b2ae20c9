// A compiled tcp_proxy. Immutable, shared by all workers.
// (proto: envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/observability/stats.h"
#include "source/route/mutation.h"
#include "source/stream/access_log.h"
#include "source/stream/formatter.h"
#include "source/stream/metadata_criteria.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::network_filters::tcp_proxy {

using std::chrono::milliseconds;

// tcp.STAT_PREFIX.*
struct Stats {
  observability::Counter cx_total, cx_no_route, rx_bytes_total, tx_bytes_total, idle_timeout, max_duration;
};

struct TunnelSettings {
  std::shared_ptr<const stream::Formatter> hostname;  // host:port, the authority of the request
  std::string post_path;                              // empty: CONNECT
  route::HeaderMutations headers;
};

struct Settings {
  struct Target {
    upstream::ClusterId cluster = 0;
    uint64_t weights_up_to = 1;  // sum of the weights up to and with this one
    std::shared_ptr<const stream::MetadataCriteria> metadata_match = nullptr;  // null: any host
  };
  std::vector<Target> targets;                                     // never empty
  std::optional<TunnelSettings> tunnel;                            // through an HTTP proxy; none: straight to the host
  std::shared_ptr<const stream::MetadataCriteria> metadata_match;  // for a cluster that a filter chose; null: any host
  bool hash_source = false;                                        // the same client goes to the same host
  milliseconds idle_timeout{3'600'000};                            // nothing in either direction; 0: no limit
  milliseconds max_duration{0};                                    // 0: no limit
  uint32_t max_connect_attempts = 1;
  std::string listener_name, filter_chain_name;                       // for access logs; empty: no name
  std::shared_ptr<const stream::ListenerMetadata> listener_metadata;  // same; null: nothing is said of the two
  stream::AccessLogs access_logs;
  milliseconds log_interval{0};  // 0: only at the end
  bool log_on_start = false;
  bool log_on_connected = false;
  Stats stats;
};

}  // namespace sluice::extensions::network_filters::tcp_proxy
