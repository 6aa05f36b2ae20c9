#include "source/extensions/filters/network/sni_dynamic_forward_proxy/filter.h"

#include <charconv>

#include "source/stream/object_types.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {

using dns_cache::DnsCache;
using dns_cache::ResolvedHost;
using dns_cache::ResolvedHostPtr;
using filter::Close;
using stream::ResponseFlag;

namespace {

// What a filter in front has set; empty: nothing.
std::string_view left(const filter::ConnectionFacts& facts, std::string_view name) {
  const auto* object = facts.state ? facts.state->filter_state.get<stream::FilterState::Object>(name) : nullptr;
  return object == nullptr ? std::string_view() : object->text();
}

Close failure() {
  return {.details = "dns_resolution_failure", .flag = ResponseFlag::kDnsResolutionFailed};
}

}  // namespace

filter::NetworkResult Filter::onNewConnection(filter::NetworkStream& stream) {
  std::string_view host = left(stream.facts(), stream::kDynamicHostState);
  if (host.empty()) host = stream.facts().server_name;
  if (host.empty()) return filter::Next{};
  stream_ = &stream;
  uint16_t port = settings_.port;
  const std::string_view digits = left(stream.facts(), stream::kDynamicPortState);
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const auto name = dns_cache::parseHostName(host, port);
  // A server name has no port of its own.
  if (!name || name->port != port) return failure();
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
