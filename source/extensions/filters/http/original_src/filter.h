// Has a request go to hosts from its client's address.
// (proto: envoy.extensions.filters.http.original_src.v3.OriginalSrc)
#pragma once

#include <cstdint>

#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::original_src {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  uint32_t mark = 0;  // 0: none
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::original_src
