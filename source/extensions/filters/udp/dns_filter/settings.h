// A compiled dns_filter. Immutable, shared by all workers.
// (proto: envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig)
#pragma once

#include <cstddef>
#include <optional>

#include "source/extensions/filters/udp/dns_filter/table.h"
#include "source/net/dns.h"
#include "source/observability/stats.h"

namespace sluice::extensions::udp_filters::dns_filter {

// dns_filter.STAT_PREFIX.*
struct Stats {
  observability::Counter a_queries, aaaa_queries, srv_queries, unsupported_queries;
  observability::Counter cluster_a_answers, cluster_aaaa_answers, local_a_answers, local_aaaa_answers,
      local_srv_answers;
  observability::Counter external_a_queries, external_aaaa_queries, external_unsupported_queries, external_a_answers,
      external_aaaa_answers, externally_resolved_queries;
  observability::Counter known_domain_queries, unanswered_queries;
  observability::Counter rx_errors, rx_invalid_queries, rx_queries, tx_responses;
  observability::Counter query_buffer_underflow, query_parsing_failure, record_name_overflow;
  observability::Histogram rx_bytes, tx_bytes, query_latency;
};

// Whom to ask for other names.
struct Forwarding {
  net::DnsResolverOptions resolver;
  size_t max_pending = 0;  // of each worker
};

struct Settings {
  Table table;
  std::optional<Forwarding> forwarding;  // none: other names do not exist
  Stats stats;
};

}  // namespace sluice::extensions::udp_filters::dns_filter
