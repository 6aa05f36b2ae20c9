// Stats of one cluster (cluster.NAME.*). Handles only; made on main.
#pragma once

#include "source/observability/stats.h"
#include "source/upstream/lb/zone_stats.h"

namespace sluice::upstream::cluster {

struct ClusterStats {
  observability::StatsHold hold;  // what follows is the cluster's as long as somebody has it
  observability::Counter cx_total, cx_http1_total, cx_http2_total, cx_connect_fail, cx_connect_timeout, cx_destroy,
      cx_destroy_with_active_rq, cx_overflow, cx_max_requests, cx_idle_timeout, cx_max_duration_reached,
      cx_protocol_error, cx_rx_bytes_total, cx_tx_bytes_total, cx_none_healthy, http2_keepalive_timeout,
      original_dst_host_invalid, lb_healthy_panic;
  observability::Gauge cx_active, rq_active, rq_pending_active, membership_total, membership_healthy;
  observability::Counter rq_total, rq_completed, rq_pending_total, rq_pending_overflow, rq_pending_failure_eject,
      rq_timeout, rq_cancelled, rq_rx_reset, rq_tx_reset, rq_overflow, rq_drop_overload, rq_retry, rq_1xx, rq_2xx,
      rq_3xx, rq_4xx, rq_5xx;
  // Retries by policy.
  observability::Counter rq_per_try_timeout, rq_per_try_idle_timeout, rq_max_duration_reached, rq_retry_success,
      rq_retry_overflow, rq_retry_limit_exceeded, rq_retry_backoff_exponential, rq_retry_backoff_ratelimited,
      retry_or_shadow_abandoned;
  observability::Counter internal_redirect_succeeded, internal_redirect_failed;
  observability::Histogram cx_connect_ms, rq_time;
  lb::ZoneStats zones;
  // Datagrams of UDP sessions: from hosts (rx) and to them (tx).
  observability::Counter udp_rx_datagrams, udp_rx_dropped, udp_rx_errors, udp_tx_datagrams, udp_tx_errors;
};

}  // namespace sluice::upstream::cluster
