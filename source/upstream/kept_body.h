// The body of a request as far as it waits for a connection, or may have to be sent again: in slices, so that what is
// here is not copied once more when the rest of a large body comes. An attempt is given the slices themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::upstream {

class KeptBody {
 public:
  static constexpr size_t kSlice = 16 * 1024;

  // `most`: bytes that are kept once they were sent.
  explicit KeptBody(size_t most) : most_(most) {}

  // Another limit, before anything was kept.
  void limit(size_t most) { most_ = most; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // A copy.
  std::string text() const {
    std::string out;
    out.reserve(size_);
    for (const std::string& slice : slices_) out += slice;
    return out;
  }
  // What was sent so far is here.
  bool whole() const { return whole_; }

  // Sends all that is here on an attempt, and nothing if that is nothing and not the end. In each call the attempt may
  // be over, what is here be forgotten, or be sent once more on what takes its place: then no more of it goes out here.
  template <typename Attempt>
  void sendTo(Attempt& attempt, bool end) {
    const uint32_t turn = ++turn_;
    if (slices_.empty() && end) attempt.sendData({}, true);
    for (size_t i = 0; turn == turn_ && i < slices_.size() && (i == 0 || attempt.open()); ++i) {
      attempt.sendData(slices_[i], end && i + 1 == slices_.size());
    }
  }

  // For later; whoever brings it bounds it.
  void hold(std::string_view bytes) { append(bytes); }
  // What is here was sent, and `bytes` go out behind it: all of it stays if that is not too much.
  void keep(std::string_view bytes) {
    if (!whole_) return;
    if (size_ + bytes.size() > most_) return forget();
    append(bytes);
  }
  // It will not be sent again.
  void forget() {
    whole_ = false;
    if (empty()) return;
    slices_ = {};
    size_ = 0;
  }

 private:
  // The first slice grows with what comes, for most bodies are small; behind it each has its place at once.
  void append(std::string_view bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (slices_.empty() || slices_.back().size() == kSlice) {
        slices_.emplace_back();
        if (slices_.size() > 1) slices_.back().reserve(kSlice);
      }
      const std::string_view part = bytes.substr(0, kSlice - slices_.back().size());
      slices_.back().append(part);
      bytes.remove_prefix(part.size());
    }
  }

  std::vector<std::string> slices_;  // none is empty
  size_t size_ = 0;                  // of all of them
  size_t most_;
  uint32_t turn_ = 0;  // of sendTo()
  bool whole_ = true;
};

}  // namespace sluice::upstream
