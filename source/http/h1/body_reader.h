// Reads the body of one HTTP/1 message: by length, chunked (RFC 9112 section 7.1), or until the connection ends.
// Keeps nothing but a few integers; chunk extensions are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/http/h1/fault.h"

namespace sluice::http::h1 {

class BodyReader {
 public:
  // Of one chunk, in bytes, without the semicolon.
  static constexpr uint32_t kMaxChunkExtension = 256;

  enum class Step : uint8_t {
    kMore,      // all input was taken, the body goes on
    kData,      // `data` is a piece of the body; ended() tells whether it was the last (by length only)
    kTrailers,  // the last chunk was read, the trailer section follows
    kFault,     // fault() is the reason
  };

  void startLength(uint64_t length) { *this = BodyReader(State::kLength, length); }
  void startChunked() { *this = BodyReader(State::kChunkSize, 0); }
  void startUntilClose() { *this = BodyReader(State::kUntilClose, 0); }

  // Takes input from the front of `in`.
  Step next(std::string_view& in, std::string_view& data);

  bool ended() const { return state_ == State::kLength && left_ == 0; }
  bool untilClose() const { return state_ == State::kUntilClose; }
  Fault fault() const { return fault_; }

  BodyReader() = default;

 private:
  enum class State : uint8_t {
    kLength,
    kUntilClose,
    kChunkSize,
    kChunkExtension,
    kChunkSizeFeed,
    kChunkData,
    kChunkDataReturn,
    kChunkDataFeed,
  };

  BodyReader(State state, uint64_t left) : left_(left), state_(state) {}

  Step fail(Fault fault) {
    fault_ = fault;
    return Step::kFault;
  }
  bool readSize(std::string_view& in);
  bool readExtension(std::string_view& in);
  static bool take(std::string_view& in, char expected);

  uint64_t left_ = 0;  // bytes of the body, or of the chunk
  uint32_t extension_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::kLength;
  Fault fault_ = Fault::kNone;
};

}  // namespace sluice::http::h1
