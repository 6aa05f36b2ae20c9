// The body of a request as far as it waits for a connection, or may have to be sent again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::upstream {

class KeptBody {
 public:
  // `most`: bytes that are kept once they were sent.
  explicit KeptBody(size_t most) : most_(most) {}

  // Another limit, before anything was kept.
  void limit(size_t most) { most_ = most; }

  std::string_view bytes() const { return bytes_; }
  // What was sent so far is here.
  bool whole() const { return whole_; }

  // For later; whoever brings it bounds it.
  void hold(std::string_view bytes) { bytes_.append(bytes); }
  // What is here was sent, and `bytes` go out behind it: all of it stays if that is not too much.
  void keep(std::string_view bytes) {
    if (!whole_) return;
    if (bytes_.size() + bytes.size() > most_) return forget();
    bytes_.append(bytes);
  }
  // It will not be sent again.
  void forget() {
    whole_ = false;
    if (!bytes_.empty()) bytes_ = {};
  }

 private:
  std::string bytes_;
  size_t most_;
  bool whole_ = true;
};

}  // namespace sluice::upstream
