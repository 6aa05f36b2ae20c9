// The messages of a gRPC body that comes in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/grpc.h"

namespace sluice::transcoding {

class GrpcFrames {
 public:
  // `limit`: bytes of a message.
  explicit GrpcFrames(size_t limit) : limit_(limit) {}

  enum class Result : uint8_t { kOk, kCompressed, kTooLarge };
  // Appends the messages that these bytes complete. Compressed ones cannot be read: nobody said that they could.
  Result feed(std::string_view bytes, std::vector<std::string>& messages) {
    held_ += bytes;
    size_t at = 0;
    Result result = Result::kOk;
    while (held_.size() - at >= http::grpc::kFrameHead) {
      const std::string_view frame = std::string_view(held_).substr(at);
      const size_t size = http::grpc::messageLength(frame);
      if ((frame[0] & 1) != 0) result = Result::kCompressed;
      if (size > limit_) result = Result::kTooLarge;
      if (result != Result::kOk || frame.size() - http::grpc::kFrameHead < size) break;
      messages.emplace_back(frame.substr(http::grpc::kFrameHead, size));
      at += http::grpc::kFrameHead + size;
    }
    held_.erase(0, at);
    return result;
  }
  // No message has begun that is not whole.
  bool complete() const { return held_.empty(); }

 private:
  const size_t limit_;
  std::string held_;
};

}  // namespace sluice::transcoding
