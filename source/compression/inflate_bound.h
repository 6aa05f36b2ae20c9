// A bound on what a small body may become: a body that is one byte a thousand times over costs its sender next to
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::compression {

class InflateBound {
 public:
  // Not counted against the ratio: what is that small does no harm, and short bodies are often repetitive.
  static constexpr uint64_t kAlways = 64 * 1024;
  static constexpr uint32_t kDefaultRatio = 100;

  // `ratio`: bytes out for each byte in, at least 1.
  explicit InflateBound(uint32_t ratio = kDefaultRatio) : ratio_(ratio) {}

  void tookIn(size_t bytes) { in_ += bytes; }
  // False: too much.
  bool letOut(size_t bytes) {
    out_ += bytes;
    return out_ <= kAlways || out_ <= in_ * ratio_;
  }
  bool empty() const { return in_ == 0; }
  void reset() { in_ = out_ = 0; }

 private:
  const uint32_t ratio_;
  uint64_t in_ = 0;
  uint64_t out_ = 0;
};

}  // namespace sluice::compression
