// Requests of a virtual host that are counted together. (proto: VirtualHost.virtual_clusters)
// Immutable after the table is built; used by all workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "source/http/headers.h"
#include "source/match/header.h"
#include "source/route/request_stats.h"

namespace sluice::route {

struct VirtualCluster {
  std::string name;
  std::vector<match::HeaderMatcher> headers;  // all have to match
  std::shared_ptr<const RequestStats> stats;  // null: nobody counts

  bool takes(const http::RequestHeaders& request) const {
    for (const match::HeaderMatcher& header : headers) {
      if (!header.matches(request)) return false;
    }
    return true;
  }
};

// At least one, of which the last takes whatever the others do not.
using VirtualClusters = std::vector<VirtualCluster>;

inline const VirtualCluster& virtualClusterOf(const VirtualClusters& clusters, const http::RequestHeaders& request) {
  for (const VirtualCluster& cluster : clusters) {
    if (cluster.takes(request)) return cluster;
  }
  return clusters.back();
}

}  // namespace sluice::route
