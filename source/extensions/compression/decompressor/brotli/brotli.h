// br (RFC 7932) by libbrotli. (proto: envoy.extensions.compression.brotli.decompressor.v3.Brotli)
#pragma once

#include <brotli/decode.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/compression/block_cache.h"
#include "source/compression/decompressor.h"
#include "source/compression/inflate_bound.h"

namespace sluice::extensions::compression::decompressor::brotli {

namespace api = sluice::compression;

struct Settings {
  bool whole_window = false;  // memory for all of the window at once
  uint32_t chunk_size = 4096;
};

// Names of counters, by Decompressor::error().
inline constexpr std::string_view kErrors[] = {"brotli_error", "brotli_output_overflow", "brotli_redundant_input"};

class Decompressor final : public api::Decompressor {
 public:
  explicit Decompressor(const Settings& settings) : settings_(settings), chunk_(settings.chunk_size) {}
  ~Decompressor() override { reset(); }

  Result decompress(std::string_view bytes, std::string& out) override;
  bool complete() const override { return ended_ || bound_.empty(); }
  size_t error() const override { return error_; }
  void reset() override;

 private:
  enum Error : size_t { kBroken, kOverflow, kRedundant };

  void begin();
  Result fail(Error error, Result result = Result::kInvalid) {
    error_ = error;
    return result;
  }

  const Settings settings_;
  std::vector<uint8_t> chunk_;
  api::BlockCache memory_;                 // of one state after the other: libbrotli cannot begin one anew
  BrotliDecoderState* decoder_ = nullptr;  // null: no message
  api::InflateBound bound_;
  bool ended_ = false;
  size_t error_ = 0;
};

class Library final : public api::DecompressorLibrary {
 public:
  explicit Library(const Settings& settings) : settings_(settings) {}
  std::string_view encoding() const override { return "br"; }
  std::string_view statPrefix() const override { return "brotli."; }
  std::span<const std::string_view> errors() const override { return kErrors; }
  std::unique_ptr<api::Decompressor> make() const override { return std::make_unique<Decompressor>(settings_); }

 private:
  const Settings settings_;
};

}  // namespace sluice::extensions::compression::decompressor::brotli
