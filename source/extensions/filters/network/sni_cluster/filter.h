// Sends a connection to the cluster that has the name which the client asked for in its ClientHello.
// (proto: envoy.extensions.filters.network.sni_cluster.v3.SniCluster)
#pragma once

#include "source/filter/network.h"

namespace sluice::extensions::filters::network::sni_cluster {

class SniCluster : public filter::ConnectionFilter {
 public:
  filter::ConnectionVerdict onConnection(filter::ConnectionFacts& facts, observability::StatsCells&,
                                         event::TimePoint) const override {
    if (!facts.server_name.empty()) facts.cluster = facts.server_name;
    return {};
  }
};

}  // namespace sluice::extensions::filters::network::sni_cluster
