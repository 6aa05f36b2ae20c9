// Refuses requests whose bodies are too large, without keeping anything of them.
// (proto: envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit)
#pragma once

#include <cstdint>
#include <optional>

#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::body_size_limit {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::optional<uint64_t> max_request_bytes;  // nullopt: any
  observability::Counter too_large;
};

using RouteSettings = route::RouteSettings<std::optional<uint64_t>>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;

 private:
  filter::Reply refusal(filter::Context& context) const;

  const Settings& settings_;
  std::optional<uint64_t> max_;  // the route's or the filter's
  uint64_t size_ = 0;            // of the body so far
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::body_size_limit
