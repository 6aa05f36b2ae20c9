// Base64 (RFC 4648 section 4) that comes and goes in pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::grpc_web {

// Takes text cut anywhere. Every group of four may end in padding: senders put encoded messages one behind the other.
class Base64Decoder {
 public:
  // Appends the bytes to `out`; false if the text is not base64.
  bool decode(std::string_view text, std::string& out);
  // The text may end here: no group is open.
  bool complete() const { return size_ == 0; }

 private:
  uint32_t group_ = 0;
  uint8_t size_ = 0;     // characters of the group so far
  uint8_t padding_ = 0;  // of these '='
};

// Bytes cut anywhere become the same text. flush() pads what is left.
class Base64Encoder {
 public:
  void encode(std::string_view bytes, std::string& out);
  void flush(std::string& out);

 private:
  uint32_t group_ = 0;
  uint8_t size_ = 0;
};

// Encodes a body of gRPC frames, each for itself, so that a message is whole when its last byte has come.
class FrameEncoder {
 public:
  void encode(std::string_view bytes, std::string& out);
  void finish(std::string& out) { encoder_.flush(out); }

 private:
  Base64Encoder encoder_;
  uint8_t head_ = 0;   // bytes of the frame's head seen
  uint32_t left_ = 0;  // of the message
};

}  // namespace sluice::extensions::http_filters::grpc_web
