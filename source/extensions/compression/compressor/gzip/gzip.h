// gzip (RFC 1952) by zlib. (proto: envoy.extensions.compression.gzip.compressor.v3.Gzip)
#pragma once

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/compression/compressor.h"

namespace sluice::extensions::compression::compressor::gzip {

namespace api = sluice::compression;

// As zlib names them.
struct Settings {
  int level = Z_DEFAULT_COMPRESSION;
  int strategy = Z_DEFAULT_STRATEGY;
  int window_bits = 12;
  int memory_level = 5;
  uint32_t chunk_size = 4096;
};

class Compressor final : public api::Compressor {
 public:
  explicit Compressor(const Settings& settings);
  ~Compressor() override;

  void compress(std::string_view bytes, api::Flush flush, std::string& out) override;
  void reset() override;

 private:
  z_stream stream_{};
  std::vector<char> chunk_;
};

class Library final : public api::CompressorLibrary {
 public:
  explicit Library(const Settings& settings) : settings_(settings) {}
  std::string_view encoding() const override { return "gzip"; }
  std::string_view statPrefix() const override { return "gzip."; }
  std::unique_ptr<api::Compressor> make() const override { return std::make_unique<Compressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::compressor::gzip
