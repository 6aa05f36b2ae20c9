// A compiled udp_proxy. Immutable, shared by all workers.
// (proto: envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig)
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "source/match/tree.h"
#include "source/observability/stats.h"
#include "source/stream/access_log.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::udp_filters::udp_proxy {

using std::chrono::milliseconds;

// udp.STAT_PREFIX.*: rx is what clients sent, tx what they were sent.
struct Stats {
  observability::Counter sess_total, sess_no_route, sess_overflow, rx_bytes, rx_datagrams, rx_datagrams_dropped,
      rx_errors, tx_bytes, tx_datagrams, tx_errors, idle_timeout;
  observability::Gauge sess_active;
};

struct Settings {
  // Chooses for each session; its actions are ids of clusters.
  std::shared_ptr<const match::Matcher> matcher;
  milliseconds idle_timeout{60'000};  // more than 0
  size_t max_rx_datagram_size = 1500;
  bool prefer_gro = true;
  bool per_packet = false;            // each datagram gets a host of its own
  bool hash_source = false;           // the same client goes to the same host
  std::optional<uint64_t> hash = {};  // all go to the same host
  stream::AccessLogs access_logs;
  Stats stats;
};

}  // namespace sluice::extensions::udp_filters::udp_proxy
