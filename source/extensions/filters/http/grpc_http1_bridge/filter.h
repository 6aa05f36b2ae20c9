// Lets clients of HTTP/1.1 call gRPC services: the answer is held until its trailers are here, and its head says what
// they do. (proto: envoy.extensions.filters.http.grpc_http1_bridge.v3.Config)
#pragma once

#include "source/filter/context.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::grpc_http1_bridge {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  bool upgrade_protobuf = false;
  bool ignore_query = false;
};

class Filter : public filter::HttpFilter {
 public:
  // Bytes of an answer, and of a request that gets a frame.
  static constexpr size_t kMostBytes = 1 << 20;

  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  const Settings& settings_;
  bool active_ = false;
  bool framed_here_ = false;       // the client does not know of frames
  std::string_view content_type_;  // of such a client, in the arena
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_http1_bridge
