#include "source/router/request_counts.h"

namespace sluice::router {

void RequestCounts::begin(upstream::WorkerCluster& cluster, filter::Stream& stream, upstream::AnswerStats answers) {
  cluster_ = &cluster;
  answers_ = answers;
  const http::RequestHeaders& request = stream.request();
  internal_ = request.get(http::Name::kXEnvoyInternal) == "true";
  const route::Match& match = stream.route();
  of_route_ = match.route->stats;
  const route::VirtualClusters& clusters = match.virtual_host->virtual_clusters;
  if (clusters.empty()) return;
  const route::VirtualCluster& virtual_cluster = route::virtualClusterOf(clusters, request);
  stream.info().virtual_cluster_name = virtual_cluster.name;
  of_virtual_cluster_ = virtual_cluster.stats.get();
}

void RequestCounts::addToEach(observability::Counter route::RequestStats::*counter) {
  if (of_virtual_cluster_ != nullptr) cells().add(of_virtual_cluster_->*counter);
  if (of_route_ != nullptr) cells().add(of_route_->*counter);
}

void RequestCounts::countAnswer(uint16_t status) {
  const bool by_status = answers_ == upstream::AnswerStats::kAll;
  if (of_virtual_cluster_ != nullptr) of_virtual_cluster_->countAnswer(status, cells(), by_status);
  if (of_route_ != nullptr) of_route_->countAnswer(status, cells(), by_status);
}

void RequestCounts::record(std::chrono::nanoseconds time) {
  const auto milliseconds = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
  if (of_virtual_cluster_ != nullptr) cells().record(of_virtual_cluster_->time, milliseconds);
  if (of_route_ != nullptr) cells().record(of_route_->time, milliseconds);
}

}  // namespace sluice::router
