// Where copies of requests go beside the cluster that answers: the compiled policies of a route. Immutable, shared by
// all workers. (proto: RouteAction.RequestMirrorPolicy)
#pragma once

#include <string>
#include <vector>

#include "source/route/cluster_id.h"
#include "source/route/mutation.h"
#include "source/runtime/fraction.h"

namespace sluice::route {

struct MirrorPolicy {
  ClusterId cluster = kNoCluster;  // kNoCluster: it is found by its name each time, or the request names it
  std::string cluster_name;
  std::string cluster_header;            // in lower case; the request names the cluster there. Empty: none
  runtime::Fraction fraction{1, 1};      // of the requests
  bool shadow_host = true;               // the host's name ends in "-shadow"
  std::string host_rewrite;              // instead of the host, without a suffix; empty: none
  std::vector<HeaderMutations> changes;  // of the copy's head, one after the other
};

using MirrorPolicies = std::vector<MirrorPolicy>;

}  // namespace sluice::route
