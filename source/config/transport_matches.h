// The transports of a cluster's hosts by their metadata. (proto: Cluster.transport_socket_matches)
#pragma once

#include <string_view>

#include "envoy/config/cluster/v3/cluster.pb.h"
#include "source/config/services.h"
#include "source/upstream/cluster/transport_match.h"

namespace sluice::config {

// `context` stands at the cluster; its owner is the cluster's name in stats. `needs_tls`: why each has to be TLS;
// empty: it has not.
upstream::cluster::TransportMatches compileTransportMatches(const envoy::config::cluster::v3::Cluster& cluster,
                                                            std::string_view needs_tls, const FactoryContext& context);

}  // namespace sluice::config
