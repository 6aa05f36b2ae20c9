// Bytes that came but cannot be parsed yet. Holds no memory while it is empty: an idle connection costs no buffer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::http::h1 {

class Carry {
 public:
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size() - begin_; }
  std::string_view view() const { return std::string_view(bytes_).substr(begin_); }

  void append(std::string_view bytes) {
    if (begin_ > 0) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    bytes_.append(bytes);
  }

  // Forgets the first `size` bytes.
  void drop(size_t size) {
    begin_ += size;
    if (begin_ == bytes_.size()) clear();
  }

  void clear() {
    std::string().swap(bytes_);
    begin_ = 0;
  }

 private:
  std::string bytes_;  // never holds only dropped bytes
  size_t begin_ = 0;
};

}  // namespace sluice::http::h1
