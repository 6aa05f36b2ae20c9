// What compresses bodies: one message's state, and the library that makes such states.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::compression {

enum class Flush : uint8_t {
  kNone,  // bytes may stay inside until there is more
  kSync,  // what has gone in can be read by the peer
  kEnd,   // the message is over
};

// Thread: its worker's. It may be used for one message behind the other, with reset() in between.
class Compressor {
 public:
  Compressor() = default;
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  virtual ~Compressor() = default;

  // Appends to `out` what the bytes become. Nothing goes in behind kEnd.
  virtual void compress(std::string_view bytes, Flush flush, std::string& out) = 0;
  // Forgets the message.
  virtual void reset() = 0;
};

// Compiled settings; immutable, shared by all workers.
class CompressorLibrary {
 public:
  using Codec = Compressor;

  virtual ~CompressorLibrary() = default;
  // The name of the coding in content-encoding ("gzip"). Static text.
  virtual std::string_view encoding() const = 0;
  // What names of statistics say for it ("gzip."). Static text.
  virtual std::string_view statPrefix() const = 0;
  virtual std::unique_ptr<Compressor> make() const = 0;
};

}  // namespace sluice::compression
