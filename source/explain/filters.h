// The HTTP filters of a request's chain with what holds for its route.
#pragma once

#include <string>
#include <vector>

#include "envoy/config/route/v3/route.pb.h"
#include "source/explain/connection.h"
#include "source/explain/explanation.h"
#include "source/filter/chain_config.h"
#include "source/route/table.h"

namespace sluice::explain {

// The messages that a match was compiled of; null: not known.
struct RouteProtos {
  const envoy::config::route::v3::RouteConfiguration* table = nullptr;
  const envoy::config::route::v3::VirtualHost* virtual_host = nullptr;
  const envoy::config::route::v3::Route* route = nullptr;
  const envoy::config::route::v3::WeightedCluster::ClusterWeight* share = nullptr;
  std::string table_path, virtual_host_path, route_path, share_path;
};

// `match`: empty where the request has no route.
std::vector<FilterPart> describeFilters(const Served& served, const filter::ChainConfig& chain,
                                        const route::Match& match, const RouteProtos& protos,
                                        const Configuration& configuration);

}  // namespace sluice::explain
