// Compresses bodies: of responses as the client accepts it, and of requests if the configuration says so.
// (proto: envoy.extensions.filters.http.compressor.v3.Compressor, CompressorPerRoute)
#pragma once

#include <string>
#include <string_view>

#include "source/extensions/filters/http/compressor/settings.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::compressor {

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;
  void onStreamEnd(filter::Context& context) override;

 private:
  // A body on its way.
  struct Body {
    compression::Lease<compression::CompressorLibrary> compressor;  // none: it goes as it is
    bool flush = false;  // whoever sends it may stop for a while: nothing stays inside
  };

  void prepareResponse(http::RequestHeaders& headers, const RouteSettings* route, filter::Context& context);
  // Whether the response could be compressed for a client that accepts it. What stands in the way is counted, and
  // told by the status header.
  bool largeEnough(http::ResponseHeaders& headers, filter::Context& context);
  bool compressible(http::ResponseHeaders& headers, filter::Context& context);
  // Whether this filter is the one that compresses.
  bool chosen(const http::ResponseHeaders& headers, filter::Context& context);
  void tell(http::ResponseHeaders& headers, std::string_view status, std::string_view parameter = {}) const;

  void begin(Body& body, http::HeaderList& headers, const Direction& direction, filter::Context& context);
  void compress(Body& body, const Direction& direction, filter::Chunk& chunk, filter::Context& context);
  // What is left of a body when its trailers come.
  std::string finish(Body& body, const Direction& direction, filter::Context& context);

  const Settings& settings_;
  const Library* library_ = nullptr;  // the route's or the filter's
  std::string_view accept_encoding_;  // what the client says; in the arena
  bool accept_encoding_given_ = false;
  bool response_enabled_ = false;
  Body request_;
  Body response_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::compressor
