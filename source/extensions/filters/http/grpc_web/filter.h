// Lets browsers speak to gRPC services: a grpc-web request goes on as gRPC, and the response goes back as grpc-web, its
// trailers as the last frame of its body.
// (proto: envoy.extensions.filters.http.grpc_web.v3.GrpcWeb; docs: PROTOCOL-WEB of the gRPC project)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/grpc_web/base64_stream.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::filters::http::grpc_web {

class Filter : public filter::HttpFilter {
 public:
  filter::HookResult onRequestHeaders(sluice::http::RequestHeaders& headers, filter::Stream& stream) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Stream& stream) override;
  filter::HookResult onRequestTrailers(sluice::http::Trailers& trailers, filter::Stream& stream) override;
  filter::HookResult onResponseHeaders(sluice::http::ResponseHeaders& headers, filter::Stream& stream) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Stream& stream) override;
  filter::HookResult onResponseTrailers(sluice::http::Trailers& trailers, filter::Stream& stream) override;

 private:
  // The upstream's response is no gRPC: the client is told by status, without a body.
  void translateForeign(sluice::http::ResponseHeaders& headers);

  bool active_ = false;  // the request is grpc-web
  bool text_request_ = false;
  bool text_response_ = false;
  bool drop_body_ = false;  // the response is not gRPC
  Base64Decoder decoder_;
  FrameEncoder encoder_;
};

class FilterFactory : public filter::HttpFilterFactory {
 public:
  uint8_t hooks() const override {
    return filter::kRequestHeaders | filter::kRequestData | filter::kRequestTrailers | filter::kResponseHeaders |
           filter::kResponseData | filter::kResponseTrailers;
  }
  filter::HttpFilter* create(base::Arena& arena) const override { return filter::makeIn<Filter>(arena); }
};

}  // namespace sluice::extensions::filters::http::grpc_web
