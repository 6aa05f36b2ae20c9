// Finds the host that a request names, for clusters that are dynamic forward proxies.
// (proto: envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig)
//
// Thread: a filter its worker's; the settings are of all workers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/dns_cache/dns_cache.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"

namespace sluice::upstream::cluster {
struct ClusterConfig;
}

namespace sluice::extensions::http_filters::dynamic_forward_proxy {

struct Settings {
  std::shared_ptr<const dns_cache::DnsCache> cache;  // never null
  bool save_upstream_address = false;
};

// Another host than the client's. (proto: PerRouteConfig)
struct RouteSettings final : route::PerFilterConfig {
  RouteSettings(std::string host, std::string header)
      : PerFilterConfig(false), host(std::move(host)), header(std::move(header)) {}
  const std::string host;    // empty: the header tells
  const std::string header;  // in lower case
};

class Filter : public filter::HttpFilter, private dns_cache::Waiter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  // --- dns_cache::Waiter
  void onResolved(const dns_cache::ResolvedHostPtr& host) override;

  filter::HookResult lookUp(const http::RequestHeaders& headers, const upstream::cluster::ClusterConfig& cluster);
  // What the answer to the request is if its host cannot be reached.
  std::optional<filter::Reply> take(dns_cache::ResolvedHostPtr host);

  const Settings& settings_;
  filter::Context* context_ = nullptr;  // from the headers on
  filter::ResumeToken token_;           // while it waits
  dns_cache::ResolvedHostPtr host_;     // as long as the router may want it
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::dynamic_forward_proxy
