#include "source/extensions/filters/http/dynamic_forward_proxy/filter.h"

#include "source/upstream/worker_cluster.h"

namespace sluice::extensions::http_filters::dynamic_forward_proxy {

using dns_cache::DnsCache;
using dns_cache::ResolvedHost;
using dns_cache::ResolvedHostPtr;
using filter::Reply;
using stream::ResponseFlag;

namespace {

constexpr std::string_view kAddressState = "envoy.stream.upstream_address";

Reply failure(std::string_view details) {
  return {
      .status = 503, .body = "DNS resolution failure", .details = details, .flag = ResponseFlag::kDnsResolutionFailed};
}

uint16_t defaultPort(const upstream::cluster::ClusterConfig& cluster) {
  return cluster.transport && cluster.transport->isTls() ? 443 : 80;
}

void rewriteHost(http::RequestHeaders& headers, const RouteSettings& settings) {
  if (!settings.host.empty()) {
    headers.authority = settings.host;
  } else if (const auto value = headers.get(settings.header); value && !value->empty()) {
    headers.authority = *value;
  }
}

}  // namespace

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) {
  context_ = &context;
  auto* const clusters = context.worker().find<upstream::ClusterSet>();
  if (clusters == nullptr) return filter::Next{};
  const base::LocalPtr<upstream::WorkerCluster> cluster = clusters->find(context.cluster());
  if (!cluster || !cluster->config().kind) return filter::Next{};
  const DnsCache* const cache = cluster->config().kind->dnsCache();
  if (cache == nullptr) return filter::Next{};
  if (cache != settings_.cache.get()) {
    return Reply{503, "The cluster has another DNS cache", "dynamic_forward_proxy_other_cache"};
  }
  if (const auto* route = context.routeConfigAs<RouteSettings>()) rewriteHost(headers, *route);
  return lookUp(headers, cluster->config());
}

filter::HookResult Filter::lookUp(const http::RequestHeaders& headers,
                                  const upstream::cluster::ClusterConfig& cluster) {
  const auto name = dns_cache::parseHostName(headers.authority, defaultPort(cluster));
  if (!name) return failure("dns_resolution_failure{not_a_host}");
  DnsCache::Answer answer = settings_.cache->ask(context_->worker(), *name, *this);
  switch (answer.asked) {
    case DnsCache::Asked::kWaiting:
      token_ = context_->resumeToken();
      return filter::Pause{};
    case DnsCache::Asked::kTooMany:
      return Reply{503, "Dynamic forward proxy pending request overflow",
                   "dynamic_forward_proxy_pending_request_overflow"};
    case DnsCache::Asked::kKnown:
      break;
  }
  if (std::optional<Reply> reply = take(std::move(answer.host))) return *std::move(reply);
  return filter::Next{};
}

void Filter::onResolved(const ResolvedHostPtr& host) {
  if (!token_) return;
  if (std::optional<Reply> reply = take(host)) {
    token_.reply(*std::move(reply));
  } else {
    token_.resume();
  }
}

std::optional<Reply> Filter::take(ResolvedHostPtr host) {
  host_ = std::move(host);
  switch (host_->outcome) {
    case ResolvedHost::Outcome::kResolved:
      context_->setResolvedHost(*host_);
      if (settings_.save_upstream_address) {
        context_->info().filterState().set(kAddressState, host_->addresses.front().toString());
      }
      return std::nullopt;
    case ResolvedHost::Outcome::kRefused:
      return Reply{403, "The address of the host is not allowed", context_->arena().copy(host_->details)};
    case ResolvedHost::Outcome::kFull:
      return Reply{503, "DNS cache overflow", context_->arena().copy(host_->details)};
    case ResolvedHost::Outcome::kFailed:
      break;
  }
  return failure(context_->arena().copy(host_->details));
}

}  // namespace sluice::extensions::http_filters::dynamic_forward_proxy
