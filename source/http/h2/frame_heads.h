// Follows the frames of the input from head to head, so that DATA is seen which nghttp2 drops without a word.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "source/http/codec.h"

namespace sluice::http::h2 {

class FrameHeads {
 public:
  // `preface`: bytes in front of the first frame.
  explicit FrameHeads(size_t preface) : left_(preface) {}

  // How many of `bytes` go up to the next head of a DATA frame and with it; all of them where found() is false.
  size_t toData(std::string_view bytes) {
    found_ = false;
    size_t at = 0;
    while (at < bytes.size() && !found_) {
      const size_t wanted = left_ > 0 ? left_ : head_.size() - have_;
      const size_t taken = std::min(wanted, bytes.size() - at);
      if (left_ > 0) {
        left_ -= taken;
      } else {
        std::memcpy(head_.data() + have_, bytes.data() + at, taken);
        have_ += taken;
        if (have_ == head_.size()) readHead();
      }
      at += taken;
    }
    return at;
  }

  bool found() const { return found_; }
  // Of the DATA frame.
  size_t length() const { return left_; }
  StreamId stream() const {
    return (StreamId{head_[5]} << 24 | StreamId{head_[6]} << 16 | StreamId{head_[7]} << 8 | head_[8]) & 0x7fffffff;
  }

 private:
  void readHead() {
    constexpr uint8_t kData = 0;
    have_ = 0;
    left_ = size_t{head_[0]} << 16 | size_t{head_[1]} << 8 | head_[2];
    found_ = head_[3] == kData;
  }

  std::array<uint8_t, 9> head_{};
  size_t have_ = 0;  // bytes of the head
  size_t left_;      // bytes until the next head
  bool found_ = false;
};

}  // namespace sluice::http::h2
