// zstd (RFC 8878) by libzstd. (proto: envoy.extensions.compression.zstd.compressor.v3.Zstd)
#pragma once

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/compression/compressor.h"

namespace sluice::extensions::compression::compressor::zstd {

namespace api = sluice::compression;

// As libzstd names them.
struct Settings {
  int level = ZSTD_CLEVEL_DEFAULT;
  bool checksum = false;
  int strategy = 0;        // 0: as the level says
  std::string dictionary;  // empty: none
  uint32_t chunk_size = 4096;
};

class Compressor final : public api::Compressor {
 public:
  explicit Compressor(const Settings& settings);
  ~Compressor() override { ZSTD_freeCCtx(context_); }

  void compress(std::string_view bytes, api::Flush flush, std::string& out) override;
  void reset() override;

 private:
  ZSTD_CCtx* const context_;
  std::vector<char> chunk_;
};

class Library final : public api::CompressorLibrary {
 public:
  explicit Library(Settings settings) : settings_(std::move(settings)) {}
  std::string_view encoding() const override { return "zstd"; }
  std::string_view statPrefix() const override { return "zstd."; }
  std::unique_ptr<api::Compressor> make() const override { return std::make_unique<Compressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::compressor::zstd
