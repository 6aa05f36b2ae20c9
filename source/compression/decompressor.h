// What takes a coding off bodies: one message's state, and the library that makes such states.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sluice::compression {

// Thread: its worker's. It may be used for one message behind the other, with reset() in between.
class Decompressor {
 public:
  enum class Result : uint8_t {
    kOk,
    kInvalid,   // the bytes are not of this coding
    kTooLarge,  // more comes out than may (inflate_bound.h)
  };

  Decompressor() = default;
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
  virtual ~Decompressor() = default;

  // Appends to `out` what the bytes were. Nothing goes in behind an error.
  virtual Result decompress(std::string_view bytes, std::string& out) = 0;
  // Whether the message may end here: it is whole, or nothing of it has come.
  virtual bool complete() const = 0;
  // Behind kInvalid or kTooLarge: which of the library's errors it was.
  virtual size_t error() const = 0;
  // Forgets the message.
  virtual void reset() = 0;
};

// Compiled settings; immutable, shared by all workers.
class DecompressorLibrary {
 public:
  using Codec = Decompressor;

  virtual ~DecompressorLibrary() = default;
  // The name of the coding in content-encoding ("gzip"). Static text.
  virtual std::string_view encoding() const = 0;
  // What names of statistics say for it ("gzip."). Static text.
  virtual std::string_view statPrefix() const = 0;
  // The names of the counters of its errors, by Decompressor::error(). Static text.
  virtual std::span<const std::string_view> errors() const = 0;
  virtual std::unique_ptr<Decompressor> make() const = 0;
};

}  // namespace sluice::compression
