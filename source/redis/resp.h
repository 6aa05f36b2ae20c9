// RESP2, the protocol of Redis: where messages end, what is in them, and how they are written.
//
// Bytes come from peers, so everything is bounded (Limits) and nothing is allocated by what a header announces. A line
// ends with CR LF and nothing else. Inline commands (a line of words) and the types of RESP3 are no messages here.
// Thread: whoever has the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::redis {

enum class Type : uint8_t { kSimple, kError, kInteger, kBulk, kNull, kArray };

// Of one message.
struct Limits {
  size_t bytes = size_t{512} * 1024 * 1024;
  uint32_t items = 1024 * 1024;  // of all its arrays together
  size_t line = size_t{64} * 1024;
};
// Of what hosts answer on connections that many share: a script may answer with whatever it likes, and is not to end
// what the others are waiting for.
inline constexpr Limits kAnswerLimits{.items = UINT32_MAX, .line = Limits().bytes};
// Arrays in arrays that are read (parse()). They are framed however deep they are.
inline constexpr size_t kMaxDepth = 8;

// Finds the messages in a stream of bytes.
class Framer {
 public:
  enum class Result : uint8_t {
    kNeedsMore,
    kFrame,
    kBroken,  // for good: what follows has no meaning
  };

  explicit Framer(Limits limits = {}) : limits_(limits) {}

  // For messages that begin from now on.
  void limit(Limits limits) { limits_ = limits; }
  void feed(std::string_view bytes);
  // The next whole message, as its bytes, until the next call of this or of feed().
  Result next(std::string_view& frame);
  // What was fed and not given so far.
  size_t waiting() const { return buffer_.size() - (in_message_ ? begin_ : at_); }

 private:
  enum class Line : uint8_t { kWhole, kNeedsMore, kBroken };

  Line readLine(std::string_view& line);
  bool takeHeader(std::string_view line);
  bool takeArray(int64_t count);
  void valueEnded();
  bool tooLong() const { return at_ - begin_ > limits_.bytes; }

  Limits limits_;
  std::string buffer_;
  size_t begin_ = 0;   // of the message
  size_t at_ = 0;      // what is in front was looked at
  size_t line_ = 0;    // up to here no line ends, from at_ on
  int64_t bulk_ = -1;  // bytes of the bulk string that begins at at_; -1: a line does
  bool in_message_ = false;
  uint64_t left_ = 0;  // values of the message still to come
  uint32_t items_ = 0;
  bool broken_ = false;
};

// What a message says. Views into its bytes.
struct Value {
  Type type = Type::kNull;
  std::string_view text;  // of a simple string, an error, a bulk string
  int64_t integer = 0;
  std::vector<Value> items;
};

// Of a whole message that Framer gave. nullopt: it is none, or deeper than kMaxDepth.
std::optional<Value> parse(std::string_view frame);
// The same for a command: its words, at least one. False: it is no array of bulk strings.
bool parseCommand(std::string_view frame, std::vector<std::string_view>& words);
// Of an array that is not null: how many items it has, and their bytes.
struct List {
  size_t count = 0;
  std::string_view items;
};
std::optional<List> listOf(std::string_view frame);
// By its first byte; of a bulk string or array that is null as well.
Type typeOf(std::string_view frame);
// The text behind the first byte of a simple string or an error.
std::string_view lineOf(std::string_view frame);

void appendSimple(std::string_view text, std::string& out);
// Bytes that would end the line are written as blanks.
void appendError(std::string_view text, std::string& out);
void appendInteger(int64_t value, std::string& out);
void appendBulk(std::string_view text, std::string& out);
void appendNull(std::string& out);
// Its items follow.
void appendArray(size_t items, std::string& out);
void appendCommand(std::span<const std::string_view> words, std::string& out);

std::string simple(std::string_view text);
std::string error(std::string_view text);
std::string command(std::initializer_list<std::string_view> words);

}  // namespace sluice::redis
