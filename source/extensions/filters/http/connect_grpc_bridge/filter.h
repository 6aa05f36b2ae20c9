// Lets clients of the Connect protocol call gRPC services: unary calls by POST and GET, and streams.
// (proto: envoy.extensions.filters.http.connect_grpc_bridge.v3.FilterConfig; docs: "Connect Protocol Reference")
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/filter/context.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::connect_grpc_bridge {

class Filter : public filter::HttpFilter {
 public:
  // Bytes of a unary call's message, either way.
  static constexpr size_t kMostBytes = 1 << 20;

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseBody(filter::Body& body, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  enum class Kind : uint8_t { kOther, kUnary, kStream };

  // Takes the message out of the query of a GET; false: there is none, or it cannot be read.
  bool takeQuery(http::RequestHeaders& headers);
  void begin(http::RequestHeaders& headers, filter::Context& context, Kind kind, std::string_view codec);
  void finishUnary(filter::Body& body, http::ResponseHeaders& headers, http::Trailers& trailers);

  Kind kind_ = Kind::kOther;
  std::string_view codec_;              // "proto", "json"; in the arena
  std::optional<std::string> message_;  // of a GET
  bool compressed_ = false;             // the request's message
};

using FilterFactory = filter::Factory<Filter>;

}  // namespace sluice::extensions::http_filters::connect_grpc_bridge
