// gzip (RFC 1952) by zlib, members one behind the other among it.
// (proto: envoy.extensions.compression.gzip.decompressor.v3.Gzip)
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/compression/decompressor.h"
#include "source/compression/inflate_bound.h"

namespace sluice::extensions::compression::decompressor::gzip {

namespace api = sluice::compression;

struct Settings {
  int window_bits = 15;
  uint32_t chunk_size = 4096;
  uint32_t max_inflate_ratio = api::InflateBound::kDefaultRatio;
};

// Names of counters, by Decompressor::error().
inline constexpr std::string_view kErrors[] = {"zlib_errno",     "zlib_stream_error", "zlib_data_error",
                                               "zlib_mem_error", "zlib_buf_error",    "zlib_version_error"};

class Decompressor final : public api::Decompressor {
 public:
  explicit Decompressor(const Settings& settings);
  ~Decompressor() override;

  Result decompress(std::string_view bytes, std::string& out) override;
  bool complete() const override { return !in_member_; }
  size_t error() const override { return error_; }
  void reset() override;

 private:
  Result fail(int code);

  z_stream stream_{};
  std::vector<char> chunk_;
  api::InflateBound bound_;
  bool in_member_ = false;
  size_t error_ = 0;
};

class Library final : public api::DecompressorLibrary {
 public:
  explicit Library(const Settings& settings) : settings_(settings) {}
  std::string_view encoding() const override { return "gzip"; }
  std::string_view statPrefix() const override { return "gzip."; }
  std::span<const std::string_view> errors() const override { return kErrors; }
  std::unique_ptr<api::Decompressor> make() const override { return std::make_unique<Decompressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::decompressor::gzip
