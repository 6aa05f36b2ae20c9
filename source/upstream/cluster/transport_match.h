// Which transport the connections to a host have, by its metadata. Immutable, shared by all workers.
// (proto: envoy.config.cluster.v3.Cluster.transport_socket_matches)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/transport.h"
#include "source/observability/stats.h"
#include "source/stream/metadata_criteria.h"

namespace sluice::upstream::cluster {

inline constexpr std::string_view kTransportMetadata = "envoy.transport_socket_match";

struct TransportMatch {
  std::string name;
  std::vector<stream::MetadataCriterion> wanted;           // under kTransportMetadata; none: every host fits
  std::shared_ptr<const net::TransportFactory> transport;  // null: plain
  observability::Counter chosen;                           // (stats: transport_socket_match.NAME.total_match_count)

  bool fits(const stream::FixedMetadata& host) const;
};

struct TransportMatches {
  std::vector<TransportMatch> list;  // the first that fits counts
  observability::Counter no_match;   // (stats: transport_socket_match.default.total_match_count)
  observability::StatsHold hold;     // of all these counters

  bool empty() const { return list.empty(); }
  // Null: none fits.
  const TransportMatch* find(const stream::FixedMetadata& host) const;
  // One of them is more than a plain socket.
  bool anyTransport() const;
};

}  // namespace sluice::upstream::cluster
