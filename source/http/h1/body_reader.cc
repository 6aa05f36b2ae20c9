#include "source/http/h1/body_reader.h"

#include <algorithm>

#include "source/base/percent.h"
#include "source/http/chars.h"

namespace sluice::http::h1 {

// Takes one byte; false if it is another.
bool BodyReader::take(std::string_view& in, char expected) {
  const bool same = in.front() == expected;
  in.remove_prefix(1);
  return same;
}

// False on a fault. Moves on at the byte behind the last digit.
bool BodyReader::readSize(std::string_view& in) {
  while (!in.empty()) {
    const int digit = base::hexValue(in.front());
    if (digit < 0) {
      if (digits_ == 0 || (in.front() != '\r' && in.front() != ';')) return false;
      state_ = in.front() == ';' ? State::kChunkExtension : State::kChunkSizeFeed;
      extension_ = 0;
      in.remove_prefix(1);
      return true;
    }
    // 15 digits and a small first one: below 2^63, so that no sum wraps.
    if (++digits_ > 16 || left_ > (INT64_MAX >> 4)) return false;
    left_ = left_ << 4 | static_cast<uint64_t>(digit);
    in.remove_prefix(1);
  }
  return true;
}

// False on a fault. What an extension means is between the sender and us, and we know none.
bool BodyReader::readExtension(std::string_view& in) {
  while (!in.empty()) {
    const char c = in.front();
    in.remove_prefix(1);
    if (c == '\r') {
      state_ = State::kChunkSizeFeed;
      return true;
    }
    if (isControl(c)) {
      fault_ = Fault::kInvalidChunkExtension;
      return false;
    }
    if (++extension_ > kMaxChunkExtension) {
      fault_ = Fault::kChunkExtensionTooLong;
      return false;
    }
  }
  return true;
}

BodyReader::Step BodyReader::next(std::string_view& in, std::string_view& data) {
  while (!in.empty()) {
    switch (state_) {
      case State::kLength:
      case State::kChunkData: {
        const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, in.size()));
        data = in.substr(0, size);
        in.remove_prefix(size);
        left_ -= size;
        if (left_ == 0 && state_ == State::kChunkData) state_ = State::kChunkDataReturn;
        return Step::kData;
      }
      case State::kUntilClose:
        data = in;
        in = {};
        return Step::kData;
      case State::kChunkSize:
        if (!readSize(in)) return fail(Fault::kInvalidChunkSize);
        break;
      case State::kChunkExtension:
        if (!readExtension(in)) return Step::kFault;
        break;
      case State::kChunkSizeFeed:
        if (!take(in, '\n')) return fail(Fault::kInvalidChunkSize);
        if (left_ == 0) return Step::kTrailers;
        state_ = State::kChunkData;
        break;
      case State::kChunkDataReturn:
        if (!take(in, '\r')) return fail(Fault::kInvalidChunkEnd);
        state_ = State::kChunkDataFeed;
        break;
      case State::kChunkDataFeed:
        if (!take(in, '\n')) return fail(Fault::kInvalidChunkEnd);
        state_ = State::kChunkSize;
        digits_ = 0;
        break;
    }
  }
  return Step::kMore;
}

}  // namespace sluice::http::h1
