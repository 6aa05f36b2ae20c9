// What the filter is told to do; immutable, shared by all streams and workers.
// (proto: envoy.extensions.filters.http.compressor.v3.Compressor)
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/compression/compressor.h"
#include "source/compression/pool.h"
#include "source/http/headers.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"

namespace sluice::extensions::http_filters::compressor {

namespace compression = sluice::compression;

using Library = compression::Shared<compression::CompressorLibrary>;

// Requests, or responses.
struct Direction {
  bool enabled = false;
  uint64_t min_length = 30;  // bytes
  // In lower case, without parameters.
  std::vector<std::string> content_types;

  observability::Counter compressed;
  observability::Counter not_compressed;
  observability::Counter uncompressed_bytes;
  observability::Counter compressed_bytes;
  observability::Counter too_small;

  // A message without a type is compressed.
  bool takesType(const http::HeaderList& headers) const;
};

struct ResponseStats {
  observability::Counter no_accept_header;
  observability::Counter header_identity;
  observability::Counter header_compressor_used;
  observability::Counter header_compressor_overshadowed;
  observability::Counter header_wildcard;
  observability::Counter header_not_valid;
  observability::Counter not_compressed_etag;
};

struct Settings {
  std::shared_ptr<const Library> library;
  Direction request;
  Direction response;
  ResponseStats response_stats;
  std::bitset<600> uncompressible;  // by status
  bool disable_on_etag = false;
  bool weaken_etag = false;
  bool remove_accept_encoding = false;
  bool status_header = false;
  bool choose_first = false;
};

// (proto: CompressorPerRoute)
struct RouteSettings final : route::PerFilterConfig {
  std::optional<bool> response_enabled;
  std::optional<bool> remove_accept_encoding;
  std::shared_ptr<const Library> library;  // null: the filter's
};

}  // namespace sluice::extensions::http_filters::compressor
