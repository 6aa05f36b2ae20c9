// JSON as far as it has to be cut: the elements of an array that comes in pieces. What stands in between is for the
// parser of messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::transcoding {

// Where values begin and end, byte by byte.
class JsonScanner {
 public:
  // How deep objects and arrays may be in each other.
  static constexpr size_t kDeepest = 100;

  // False: it cannot be JSON.
  bool feed(char c);
  // Between values: at depth 0, not in a string.
  size_t depth() const { return open_.size(); }
  bool inString() const { return in_string_; }

 private:
  bool in_string_ = false;
  bool escaped_ = false;
  std::string open_;  // what is open, as brackets
};

// The elements of one array.
class JsonArray {
 public:
  // `limit`: bytes of an element.
  explicit JsonArray(size_t limit) : limit_(limit) {}

  enum class Result { kOk, kInvalid, kTooLarge };
  // Appends the elements that these bytes complete.
  Result feed(std::string_view bytes, std::vector<std::string>& elements);
  // The array is closed.
  bool complete() const { return state_ == State::kBehind; }

 private:
  enum class State { kBefore, kElement, kBehind };

  bool finish(std::vector<std::string>& elements);

  const size_t limit_;
  State state_ = State::kBefore;
  JsonScanner scanner_;
  std::string element_;
  bool first_ = true;
};

// As a JSON string, with quotes. Bytes that are not UTF-8 stay as they are.
void appendJsonString(std::string& out, std::string_view text);

}  // namespace sluice::transcoding
