#include "source/router/drop_overload.h"

namespace sluice::router {

using stream::ResponseFlag;
using Drop = upstream::WorkerCluster::Drop;

std::optional<filter::Reply> dropReply(upstream::WorkerCluster& cluster, filter::Stream& stream, bool envoy_headers) {
  const Drop drop = cluster.drops();
  if (drop == Drop::kNone) return std::nullopt;
  const upstream::pool::PoolContext& context = cluster.context();
  context.cells.add(context.stats.rq_completed);
  context.cells.add(context.stats.rq_5xx);
  cluster.countCode(503);
  stream.info().upstream_transport_failure_reason =
      stream.arena().concat("drop_overloads of the endpoints: ", cluster.hosts().dropCategories());
  const bool all = drop == Drop::kAll;
  filter::Reply reply{503,
                      all ? "unconditional drop overload" : "drop overload",
                      all ? "unconditional_drop_overload" : "drop_overload",
                      {},
                      all ? ResponseFlag::kUnconditionalDropOverload : ResponseFlag::kDropOverload};
  if (envoy_headers) {
    reply.headers.emplace_back(all ? "x-envoy-unconditional-drop-overload" : "x-envoy-drop-overload", "true");
  }
  return reply;
}

}  // namespace sluice::router
