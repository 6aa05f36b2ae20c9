// Lets browsers speak to gRPC services: a grpc-web request goes on as gRPC, and the response goes back as grpc-web, its
// trailers as the last frame of its body.
// (proto: envoy.extensions.filters.http.grpc_web.v3.GrpcWeb; docs: PROTOCOL-WEB of the gRPC project)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/grpc_web/base64_stream.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::grpc_web {

class Filter : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // The upstream's response is no gRPC: the client is told by status, without a body.
  void translateForeign(http::ResponseHeaders& headers);

  bool active_ = false;  // the request is grpc-web
  bool text_request_ = false;
  bool text_response_ = false;
  bool drop_body_ = false;  // the response is not gRPC
  Base64Decoder decoder_;
  FrameEncoder encoder_;
};

using FilterFactory = filter::Factory<Filter>;

}  // namespace sluice::extensions::http_filters::grpc_web
