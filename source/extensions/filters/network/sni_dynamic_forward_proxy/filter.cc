#include "source/extensions/filters/network/sni_dynamic_forward_proxy/filter.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {

using dns_cache::DnsCache;
using dns_cache::ResolvedHost;
using dns_cache::ResolvedHostPtr;
using filter::Close;
using stream::ResponseFlag;

namespace {

Close failure() {
  return {.details = "dns_resolution_failure", .flag = ResponseFlag::kDnsResolutionFailed};
}

}  // namespace

filter::NetworkResult Filter::onNewConnection(filter::NetworkStream& stream) {
  if (stream.facts().server_name.empty()) return filter::Next{};
  stream_ = &stream;
  const auto name = dns_cache::parseHostName(stream.facts().server_name, settings_.port);
  // A server name has no port of its own.
  if (!name || name->port != settings_.port) return failure();
  const DnsCache::Answer answer = settings_.cache->ask(stream.worker(), *name, *this);
  switch (answer.asked) {
    case DnsCache::Asked::kWaiting:
      token_ = stream.resumeToken();
      return filter::Pause{};
    case DnsCache::Asked::kTooMany:
      return Close{"dynamic_forward_proxy_pending_request_overflow"};
    case DnsCache::Asked::kKnown:
      break;
  }
  if (const std::optional<Close> close = take(answer.host)) return *close;
  return filter::Next{};
}

void Filter::onResolved(const ResolvedHostPtr& host) {
  if (!token_) return;
  if (const std::optional<Close> close = take(host)) {
    token_.close(*close);
  } else {
    token_.resume();
  }
}

std::optional<Close> Filter::take(const ResolvedHostPtr& host) {
  switch (host->outcome) {
    case ResolvedHost::Outcome::kResolved:
      stream_->facts().resolved_host = host;
      return std::nullopt;
    case ResolvedHost::Outcome::kRefused:
      return Close{"dns_address_refused"};
    case ResolvedHost::Outcome::kFull:
      return Close{"dns_cache_overflow"};
    case ResolvedHost::Outcome::kFailed:
      break;
  }
  return failure();
}

}  // namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy
