// Bodies for tests, and a coding that anybody can read: each byte with its case turned, and a full stop behind the last
// one. What is not flushed is held back, and a digit stands for as many letters "a", so that there is something to
// inflate.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "source/compression/compressor.h"
#include "source/compression/decompressor.h"
#include "source/compression/inflate_bound.h"

namespace sluice::compression::testing {

// A body that can be compressed, though not to nothing.
inline std::string text(size_t size) {
  std::string out;
  for (uint32_t i = 0; out.size() < size; ++i) out += "{\"id\":" + std::to_string(i * 2654435761u) + "},";
  out.resize(size);
  return out;
}

// What a body becomes that comes in pieces.
inline std::string inPieces(Compressor& compressor, std::string_view body) {
  constexpr size_t kPiece = 7000;
  std::string out;
  for (size_t at = 0; at < body.size(); at += kPiece) compressor.compress(body.substr(at, kPiece), Flush::kNone, out);
  compressor.compress({}, Flush::kEnd, out);
  return out;
}

inline char turned(char c) {
  if (c >= 'a' && c <= 'z') return static_cast<char>(c - 'a' + 'A');
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c;
}

class TestCompressor final : public Compressor {
 public:
  void compress(std::string_view bytes, Flush flush, std::string& out) override {
    for (const char c : bytes) held_ += turned(c);
    if (flush == Flush::kNone) return;
    out += held_;
    held_.clear();
    if (flush == Flush::kEnd) out += '.';
  }
  void reset() override { held_.clear(); }

 private:
  std::string held_;
};

class TestCompressorLibrary final : public CompressorLibrary {
 public:
  explicit TestCompressorLibrary(std::string_view encoding = "turned") : encoding_(encoding) {}
  std::string_view encoding() const override { return encoding_; }
  std::string_view statPrefix() const override { return "turned."; }
  std::unique_ptr<Compressor> make() const override {
    ++made;
    return std::make_unique<TestCompressor>();
  }
  mutable int made = 0;

 private:
  const std::string_view encoding_;
};

class TestDecompressor final : public Decompressor {
 public:
  Result decompress(std::string_view bytes, std::string& out) override {
    for (const char c : bytes) {
      begun_ = true;
      if (ended_ || c == '!') return Result::kInvalid;
      if (c == '#') return error_ = 1, Result::kTooLarge;
      if (c == '.') {
        ended_ = true;
      } else if (c >= '0' && c <= '9') {
        out.append(static_cast<size_t>(c - '0'), 'a');
      } else {
        out += turned(c);
      }
    }
    return Result::kOk;
  }
  bool complete() const override { return ended_ || !begun_; }
  size_t error() const override { return error_; }
  void reset() override {
    begun_ = ended_ = false;
    error_ = 0;
  }

 private:
  bool begun_ = false;
  bool ended_ = false;
  size_t error_ = 0;
};

class TestDecompressorLibrary final : public DecompressorLibrary {
 public:
  std::string_view encoding() const override { return "turned"; }
  std::string_view statPrefix() const override { return "turned."; }
  std::span<const std::string_view> errors() const override {
    static constexpr std::array<std::string_view, 2> kErrors = {"wrong", "large"};
    return kErrors;
  }
  std::unique_ptr<Decompressor> make() const override { return std::make_unique<TestDecompressor>(); }
};

}  // namespace sluice::compression::testing
