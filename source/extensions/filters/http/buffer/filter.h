// Brings the whole request body before the request goes on.
// (proto: envoy.extensions.filters.http.buffer.v3.Buffer, BufferPerRoute)
#pragma once

#include <cstdint>

#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::buffer {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  uint32_t max_request_bytes = 0;
};

struct RouteSettings final : route::PerFilterConfig {
  explicit RouteSettings(bool disabled, Settings settings = {}) : PerFilterConfig(disabled), settings(settings) {}
  const Settings settings;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;

 private:
  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::buffer
