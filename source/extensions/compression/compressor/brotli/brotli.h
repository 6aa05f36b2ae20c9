// br (RFC 7932) by libbrotli. (proto: envoy.extensions.compression.brotli.compressor.v3.Brotli)
#pragma once

#include <brotli/encode.h>

#include <cstdint>
#include <memory>
#include <string>

#include "source/compression/block_cache.h"
#include "source/compression/compressor.h"

namespace sluice::extensions::compression::compressor::brotli {

namespace api = sluice::compression;

// As libbrotli names them.
struct Settings {
  uint32_t quality = 3;
  BrotliEncoderMode mode = BROTLI_MODE_GENERIC;
  uint32_t window_bits = 18;
  uint32_t block_bits = 24;
  bool no_literal_contexts = false;
  uint32_t chunk_size = 4096;
};

class Compressor final : public api::Compressor {
 public:
  explicit Compressor(const Settings& settings) : settings_(settings) {}
  ~Compressor() override { reset(); }

  void compress(std::string_view bytes, api::Flush flush, std::string& out) override;
  void reset() override;

 private:
  void begin();

  const Settings settings_;
  api::BlockCache memory_;                 // of one state after the other: libbrotli cannot begin one anew
  BrotliEncoderState* encoder_ = nullptr;  // null: no message
};

class Library final : public api::CompressorLibrary {
 public:
  explicit Library(const Settings& settings) : settings_(settings) {}
  std::string_view encoding() const override { return "br"; }
  std::string_view statPrefix() const override { return "brotli."; }
  std::unique_ptr<api::Compressor> make() const override { return std::make_unique<Compressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::compressor::brotli
