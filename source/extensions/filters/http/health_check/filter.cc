#include "source/extensions/filters/http/health_check/filter.h"

#include <algorithm>

#include "source/filter/context.h"
#include "source/upstream/worker_cluster.h"
#include "source/worker/services.h"

namespace sluice::extensions::http_filters::health_check {
namespace {

constexpr std::string_view kServiceHeader = "x-envoy-upstream-healthchecked-cluster";
constexpr std::string_view kDegradedHeader = "x-envoy-degraded";

uint64_t millisecondsOf(Cache::Time time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

// Static text: why the cluster, as the worker sees it, fails checks; empty: it does not.
std::string_view faultOf(upstream::ClusterSet* clusters, const std::string& name, double least) {
  using upstream::cluster::Health;
  base::LocalPtr<upstream::WorkerCluster> cluster;
  if (clusters != nullptr) cluster = clusters->find(std::string_view(name));
  if (!cluster) return "health_check_failed_no_cluster_found";
  const size_t all = cluster->hosts().entries().size();
  if (all == 0) return least == 0 ? "" : "health_check_failed_cluster_empty";
  const size_t available =
      cluster->hosts().countWithHealth(Health::kHealthy) + cluster->hosts().countWithHealth(Health::kDegraded);
  const bool enough = 100.0 * static_cast<double>(available) >= least * static_cast<double>(all);
  return enough ? "" : "health_check_failed_cluster_unhealthy";
}

}  // namespace

void Cache::put(Answer answer, Time until) {
  packed_.store(millisecondsOf(until) << 17 | uint64_t{answer.degraded} << 16 | answer.status,
                std::memory_order_relaxed);
}

std::optional<Cache::Answer> Cache::get(Time now) const {
  const uint64_t packed = packed_.load(std::memory_order_relaxed);
  if (packed >> 17 <= millisecondsOf(now)) return std::nullopt;
  return Answer{static_cast<uint16_t>(packed), (packed >> 16 & 1) != 0};
}

bool Filter::isCheck(const http::RequestHeaders& headers) const {
  return std::all_of(settings_.headers.begin(), settings_.headers.end(),
                     [&headers](const match::HeaderMatcher& matcher) { return matcher.matches(headers); });
}

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  check_ = isCheck(headers);
  context.info().health_check |= check_;
  if (!check_) return filter::Next{};
  std::optional<filter::Reply> own = answer(context);
  asks_upstream_ = !own;
  if (own) return *std::move(own);
  return filter::Next{};
}

std::optional<filter::Reply> Filter::answer(filter::Context& context) const {
  if (settings_.failed->load(std::memory_order_relaxed)) return reply(503, "health_check_failed");
  if (settings_.pass_through) {
    if (settings_.cache_time.count() == 0) return std::nullopt;
    const std::optional<Cache::Answer> cached = settings_.cache->get(context.now());
    if (!cached) return std::nullopt;
    filter::Reply out = reply(cached->status, "health_check_cached");
    if (cached->degraded) out.headers.emplace_back(kDegradedHeader, "");
    return out;
  }
  auto* const clusters = context.worker().find<upstream::ClusterSet>();
  for (const auto& [name, least] : settings_.least_healthy) {
    const std::string_view fault = faultOf(clusters, name, least);
    if (!fault.empty()) return reply(503, fault);
  }
  return reply(200, settings_.least_healthy.empty() ? "health_check_ok" : "health_check_ok_cluster_healthy");
}

filter::Reply Filter::reply(uint16_t status, std::string_view details) const {
  filter::Reply out{status, "", details};
  if (!settings_.service.empty()) out.headers.emplace_back(kServiceHeader, settings_.service);
  if (status / 100 != 2) out.flag = stream::ResponseFlag::kFailedLocalHealthCheck;
  return out;
}

filter::HookResult Filter::onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) {
  if (!check_) {
    if (settings_.failed->load(std::memory_order_relaxed)) headers.set(upstream::cluster::kFailHeader, "true");
    return filter::Next{};
  }
  if (asks_upstream_ && settings_.cache_time.count() > 0) {
    settings_.cache->put({headers.status, headers.get(kDegradedHeader).has_value()},
                         context.now() + settings_.cache_time);
  }
  if (!settings_.service.empty()) headers.set(kServiceHeader, settings_.service);
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::health_check
