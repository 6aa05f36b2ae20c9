// gRPC in front of REST: a unary call becomes the request that its method's rule describes, its answer a message.
// (proto: envoy.extensions.filters.http.grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder)
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/route/filter_slots.h"
#include "source/transcoding/reverse_transcoder.h"

namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const transcoding::ReverseTranscoder> transcoder;  // null: there is no descriptor set
  uint32_t max_request = 1 << 20;                                    // bytes
  uint32_t max_response = 1 << 20;
};

using RouteSettings = route::RouteSettings<Settings>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(&settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  void finish(http::Trailers& trailers, filter::Context& context) const;

  const Settings* settings_;                                        // the route's or the filter's
  const transcoding::ReverseTranscoder::Method* method_ = nullptr;  // null: the request goes as it is
  std::string_view content_type_;                                   // of the request as it came, in the arena
  bool sent_ = false;                                               // the request has become one of REST
  int status_ = 0;
  std::string_view message_;  // for grpc-message, in the arena
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder
