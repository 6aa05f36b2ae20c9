// Lets gRPC clients call services of HTTP/1.1: the request gets the service's content type, the answer trailers.
// (proto: envoy.extensions.filters.http.grpc_http1_reverse_bridge.v3.FilterConfig, FilterConfigPerRoute)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"
#include "source/http/grpc.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::string content_type;
  bool withhold_frames = false;
  std::string size_header;  // in lower case; empty: content-length
};

class Filter : public filter::HttpFilter {
 public:
  // Of a message whose size nobody tells beforehand.
  static constexpr size_t kMostBytes = 1 << 20;

  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // How large the message of the answer will be; nothing: its end tells.
  std::optional<uint64_t> announcedSize(const http::ResponseHeaders& headers) const;
  void finish(http::Trailers& trailers, filter::Context& context) const;

  const Settings& settings_;
  bool active_ = false;
  bool bridges_answer_ = false;    // an answer that is passed on as it is may come before the end of the request
  std::string_view content_type_;  // of the request as it came, in the arena
  size_t frame_head_ = 0;          // bytes of it that have gone off the request
  std::string pending_head_;       // of the answer's frame, before its first byte
  uint64_t left_ = 0;              // of a message whose size was told
  bool sized_ = false;
  int status_ = http::grpc::kOk;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
