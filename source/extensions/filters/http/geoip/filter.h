// Tells services in headers what a provider knows of the client's address.
// (proto: envoy.extensions.filters.http.geoip.v3.Geoip)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/filter/http_filter.h"
#include "source/geoip/provider.h"
#include "source/observability/stats.h"

namespace sluice::extensions::http_filters::geoip {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const sluice::geoip::Provider> provider;
  std::vector<std::string> headers;  // in lower case, as the names of the provider stand
  uint32_t trusted_hops = 0;         // more than 0: the address that they vouch for
  std::string address_header;        // lower case; instead: the address stands there; empty: none
  observability::Counter total, skipped;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // What the client says of itself. True: there was something.
  bool removeFrom(http::HeaderList& fields) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::geoip
