// Reads the presentation language of TLS (RFC 8446, 3): numbers and length-prefixed parts, bounds-checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::tls {

// Takes big-endian numbers and length-prefixed parts off the front; false: there are too few bytes.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  bool number(size_t size, size_t& value) {
    if (rest_.size() < size) return false;
    value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
    rest_.remove_prefix(size);
    return true;
  }
  bool bytes(size_t size, std::string_view& part) {
    if (rest_.size() < size) return false;
    part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  // A part behind its own length of `size` bytes.
  bool prefixed(size_t size, std::string_view& part) {
    size_t length;
    return number(size, length) && bytes(length, part);
  }

 private:
  std::string_view rest_;
};

// RFC 8701: values that clients send so that servers learn to ignore what they do not know.
inline bool isGrease(size_t value) {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

}  // namespace sluice::tls
