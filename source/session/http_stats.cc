#include "source/session/http_stats.h"

#include "absl/strings/str_cat.h"

namespace sluice::session {

HttpStats makeHttpStats(observability::Scope& scope, const std::string& prefix) {
  HttpStats s;
  const std::string base = absl::StrCat("http.", prefix, ".downstream_");
  auto counter = [&](const char* name) { return scope.counter(base + name); };
  s.cx_total = counter("cx_total");
  s.cx_destroy = counter("cx_destroy");
  s.cx_idle_timeout = counter("cx_idle_timeout");
  s.cx_protocol_error = counter("cx_protocol_error");
  s.cx_rx_bytes_total = counter("cx_rx_bytes_total");
  s.cx_tx_bytes_total = counter("cx_tx_bytes_total");
  s.cx_drain_close = counter("cx_drain_close");
  s.cx_max_duration_reached = counter("cx_max_duration_reached");
  s.cx_max_requests_reached = counter("cx_max_requests_reached");
  s.cx_http1_total = counter("cx_http1_total");
  s.cx_http2_total = counter("cx_http2_total");
  s.cx_ssl_total = counter("cx_ssl_total");
  s.cx_transport_failed = counter("cx_transport_failed");
  s.cx_transport_timeout = counter("cx_transport_timeout");
  s.cx_keepalive_timeout = counter("cx_keepalive_timeout");
  s.cx_upgrades_total = counter("cx_upgrades_total");
  s.cx_http1_active = scope.gauge(base + "cx_http1_active");
  s.cx_http2_active = scope.gauge(base + "cx_http2_active");
  s.cx_ssl_active = scope.gauge(base + "cx_ssl_active");
  s.cx_upgrades_active = scope.gauge(base + "cx_upgrades_active");
  s.cx_active = scope.gauge(base + "cx_active");
  s.rq_active = scope.gauge(base + "rq_active");
  s.rq_total = counter("rq_total");
  s.rq_completed = counter("rq_completed");
  s.rq_1xx = counter("rq_1xx");
  s.rq_2xx = counter("rq_2xx");
  s.rq_3xx = counter("rq_3xx");
  s.rq_4xx = counter("rq_4xx");
  s.rq_5xx = counter("rq_5xx");
  s.rq_rx_reset = counter("rq_rx_reset");
  s.rq_tx_reset = counter("rq_tx_reset");
  s.rq_timeout = counter("rq_timeout");
  s.rq_header_timeout = counter("rq_header_timeout");
  s.rq_idle_timeout = counter("rq_idle_timeout");
  s.rq_max_duration_reached = counter("rq_max_duration_reached");
  s.rq_dropped_token = counter("rq_dropped_token");
  s.rq_rejected_path = counter("rq_rejected_path");
  s.rq_http1_total = counter("rq_http1_total");
  s.rq_http2_total = counter("rq_http2_total");
  s.rq_misdirected = counter("rq_misdirected");
  s.rq_upgrade_refused = counter("rq_upgrade_refused");
  auto passed_on = [&](const char* why) {
    return scope.counter(absl::StrCat("http.", prefix, ".passthrough_internal_redirect_", why));
  };
  s.redirect_bad_location = passed_on("bad_location");
  s.redirect_unsafe_scheme = passed_on("unsafe_scheme");
  s.redirect_too_many = passed_on("too_many_redirects");
  s.redirect_no_route = passed_on("no_route");
  s.redirect_predicate = passed_on("predicate");
  s.rq_time = scope.histogram(base + "rq_time");
  return s;
}

}  // namespace sluice::session
