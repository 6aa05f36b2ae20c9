// Requests that a cluster's endpoints want dropped, before a host is chosen.
// (proto: ClusterLoadAssignment.Policy.drop_overloads)
#pragma once

#include <optional>

#include "source/filter/reply.h"
#include "source/filter/stream.h"
#include "source/upstream/worker_cluster.h"

namespace sluice::router {

// What the stream's request is answered with, counted as an answer of the cluster; nullopt: it is sent.
// `envoy_headers`: the answer says what happened. The log says why.
std::optional<filter::Reply> dropReply(upstream::WorkerCluster& cluster, filter::Stream& stream, bool envoy_headers);

}  // namespace sluice::router
