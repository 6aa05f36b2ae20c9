// Takes a coding off bodies of requests and responses, and tells upstreams that it can.
// (proto: envoy.extensions.filters.http.decompressor.v3.Decompressor)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/compression/decompressor.h"
#include "source/compression/pool.h"
#include "source/filter/context.h"
#include "source/filter/http_filter.h"

namespace sluice::extensions::http_filters::decompressor {

namespace compression = sluice::compression;

using Library = compression::Shared<compression::DecompressorLibrary>;

// Requests, or responses.
struct Direction {
  bool enabled = false;
  bool ignore_no_transform = false;
  observability::Counter decompressed;
  observability::Counter not_decompressed;
  observability::Counter uncompressed_bytes;
  observability::Counter compressed_bytes;
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  std::shared_ptr<const Library> library;
  Direction request;
  Direction response;
  bool advertise = true;
  std::vector<observability::Counter> errors;  // by Decompressor::error()
  // Trailers that tell of a body how many bytes it had.
  std::string compressed_trailer;
  std::string uncompressed_trailer;
};

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;
  filter::HookResult onRequestData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onRequestTrailers(http::Trailers& trailers, filter::Context& context) override;
  filter::HookResult onResponseHeaders(http::ResponseHeaders& headers, filter::Context& context) override;
  filter::HookResult onResponseData(filter::Chunk& chunk, filter::Context& context) override;
  filter::HookResult onResponseTrailers(http::Trailers& trailers, filter::Context& context) override;

 private:
  // A body on its way.
  struct Body {
    compression::Lease<compression::DecompressorLibrary> decompressor;  // none: it goes as it is
    uint64_t compressed = 0;
    uint64_t uncompressed = 0;
  };

  void advertise(http::RequestHeaders& headers) const;
  // True: the coding goes off this message.
  bool begin(Body& body, http::HeaderList& headers, const Direction& direction, filter::Context& context);
  // False: the body is not what its head says, and details_ why.
  bool decompress(Body& body, const Direction& direction, filter::Chunk& chunk, filter::Context& context);
  bool complete(const Body& body);
  void tell(Body& body, http::Trailers& trailers) const;
  filter::Reply refusal(uint16_t status) const;

  const Settings& settings_;
  // Why a body was refused; static.
  std::string_view details_;
  Body request_;
  Body response_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::decompressor
