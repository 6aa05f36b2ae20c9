// zstd (RFC 8878) by libzstd, frames one behind the other among it.
// (proto: envoy.extensions.compression.zstd.decompressor.v3.Zstd)
#pragma once

#include <zstd.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "source/compression/decompressor.h"
#include "source/compression/inflate_bound.h"

namespace sluice::extensions::compression::decompressor::zstd {

namespace api = sluice::compression;

// By the number that bodies name it by.
using Dictionaries = std::map<uint32_t, std::shared_ptr<ZSTD_DDict>>;

struct Settings {
  Dictionaries dictionaries;
  uint32_t chunk_size = 4096;
};

// Names of counters, by Decompressor::error().
inline constexpr std::string_view kErrors[] = {"zstd_generic_error", "zstd_dictionary_error", "zstd_checksum_error",
                                               "zstd_memory_error"};

class Decompressor final : public api::Decompressor {
 public:
  // `settings` outlives it: pools hold the library.
  explicit Decompressor(const Settings& settings);
  ~Decompressor() override { ZSTD_freeDCtx(context_); }

  Result decompress(std::string_view bytes, std::string& out) override;
  bool complete() const override { return held_.empty() && !in_frame_; }
  size_t error() const override { return error_; }
  void reset() override;

 private:
  Result inflate(std::string_view bytes, std::string& out);
  Result fail(size_t code);

  const Settings& settings_;
  ZSTD_DCtx* const context_;
  std::vector<char> chunk_;
  api::InflateBound bound_;
  std::string held_;  // the beginning of the first frame, until it tells the dictionary
  bool begun_ = false;
  bool in_frame_ = false;
  size_t error_ = 0;
};

class Library final : public api::DecompressorLibrary {
 public:
  explicit Library(Settings settings) : settings_(std::move(settings)) {}
  std::string_view encoding() const override { return "zstd"; }
  std::string_view statPrefix() const override { return "zstd."; }
  std::span<const std::string_view> errors() const override { return kErrors; }
  std::unique_ptr<api::Decompressor> make() const override { return std::make_unique<Decompressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::decompressor::zstd
