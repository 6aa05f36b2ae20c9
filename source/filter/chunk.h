// The bytes that a streaming hook sees.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace sluice::filter {

class ChainRunner;

// A piece of what streams through a filter: of a body, or of a connection's bytes. Valid during the hook.
class Chunk {
 public:
  Chunk(std::string_view bytes, bool end_stream) : bytes_(bytes), end_stream_(end_stream) {}

  std::string_view bytes() const { return bytes_; }
  // Nothing follows: neither more of it nor, on a body, trailers.
  bool endStream() const { return end_stream_; }
  // What goes on instead of bytes(). On a body the filter has taken content-length off the headers before (or keeps it
  // true).
  void replace(std::string bytes) {
    owned_ = std::move(bytes);
    bytes_ = owned_;
  }

 private:
  friend class ChainRunner;
  std::string_view bytes_;
  std::string owned_;
  bool end_stream_;
};

}  // namespace sluice::filter
