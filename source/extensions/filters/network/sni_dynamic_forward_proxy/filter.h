// Finds the host that a client asked for in its ClientHello, for a terminal filter whose cluster is a dynamic forward
// proxy. (proto: envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig)
//
// Thread: a filter its worker's; the factory is of all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "source/dns_cache/dns_cache.h"
#include "source/filter/network_filter.h"

namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy {

struct Settings {
  std::shared_ptr<const dns_cache::DnsCache> cache;  // never null
  uint16_t port = 443;
};

class Filter : public filter::NetworkFilter, private dns_cache::Waiter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::NetworkResult onNewConnection(filter::NetworkStream& stream) override;

 private:
  // --- dns_cache::Waiter
  void onResolved(const dns_cache::ResolvedHostPtr& host) override;

  // Why the connection is closed, if its host cannot be reached.
  std::optional<filter::Close> take(const dns_cache::ResolvedHostPtr& host);

  const Settings& settings_;
  filter::NetworkStream* stream_ = nullptr;
  filter::NetworkToken token_;  // while it waits
};

class FilterFactory : public filter::NetworkFilterFactory {
 public:
  explicit FilterFactory(Settings settings) : settings_(std::move(settings)) {}
  std::unique_ptr<filter::NetworkFilter> create() const override { return std::make_unique<Filter>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::network_filters::sni_dynamic_forward_proxy
