// Sends a connection to the cluster that has the name which the client asked for in its ClientHello.
// (proto: envoy.extensions.filters.network.sni_cluster.v3.SniCluster)
#pragma once

#include "source/filter/network_filter.h"

namespace sluice::extensions::network_filters::sni_cluster {

class SniCluster : public filter::NetworkFilterFactory {
 public:
  filter::NetworkResult admit(filter::NetworkStream& stream) const override {
    filter::ConnectionFacts& facts = stream.facts();
    if (!facts.server_name.empty()) facts.cluster = facts.server_name;
    return filter::Next{};
  }
};

}  // namespace sluice::extensions::network_filters::sni_cluster
