// Changes headers and JSON bodies by formats that may have values of the bodies.
// (proto: envoy.extensions.filters.http.transform.v3.TransformConfig)
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/extensions/filters/http/transform/body_json.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/route/mutation.h"
#include "source/stream/body_values.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::transform {

// In bytes. A larger body is answered 413 or 500; of requests the route may say another limit.
constexpr size_t kMaxBody = 1 << 20;
// Longer values of a body do not become part of headers.
constexpr size_t kLongestInHeader = 8 * 1024;

// Of one direction.
struct Transformation {
  std::vector<route::HeaderMutations> headers;
  std::shared_ptr<const stream::Formatter> body;  // null: it stays
  bool merges = true;                             // false: what `body` makes replaces all
  std::string content_type;                       // of what `body` makes; empty: as it was
  stream::BodyPaths wanted;                       // by the formats
};

struct Rules {
  std::optional<Transformation> request, response;
  bool rematches = false;  // requests whose headers are changed choose their route anew
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Rules rules;
  observability::Counter requests, responses;  // that were transformed
};

using RouteSettings = route::RouteSettings<Rules>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;

 private:
  const Settings& settings_;
  const Rules* rules_ = nullptr;  // of the whole stream, whatever route is chosen later; null: not looked for yet
  Values for_response_;           // of the request's body
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::transform
