#include "source/redis/resp.h"

#include <algorithm>
#include <charconv>

namespace sluice::redis {
namespace {

constexpr std::string_view kEnd = "\r\n";
// A buffer that grew beyond this is given back when it is empty.
constexpr size_t kKeep = 64 * 1024;

// Digits with a sign in front, nothing else.
std::optional<int64_t> integerOf(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A length: -1 or more.
std::optional<int64_t> lengthOf(std::string_view text) {
  const auto value = integerOf(text);
  if (!value || text.starts_with('+')) return std::nullopt;
  return text.starts_with('-') ? (*value == -1 ? value : std::nullopt) : value;
}

// Reads a whole message.
class Reader {
 public:
  explicit Reader(std::string_view frame) : rest_(frame) {}

  std::string_view rest() const { return rest_; }

  std::optional<std::string_view> line() {
    const size_t end = rest_.find(kEnd);
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + kEnd.size());
    return line;
  }
  std::optional<std::string_view> bulk(size_t size) {
    if (rest_.size() < kEnd.size() || size > rest_.size() - kEnd.size() || rest_.substr(size, kEnd.size()) != kEnd) {
      return std::nullopt;
    }
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size + kEnd.size());
    return text;
  }
  bool value(Value& out, size_t depth) {
    const auto header = line();
    if (!header) return false;
    const std::string_view text = header->substr(1);
    switch (header->front()) {
      case '+':
      case '-':
        out.type = header->front() == '+' ? Type::kSimple : Type::kError;
        out.text = text;
        return true;
      case ':': {
        const auto number = integerOf(text);
        out.type = Type::kInteger;
        out.integer = number.value_or(0);
        return number.has_value();
      }
      case '$': {
        const auto size = lengthOf(text);
        if (!size || *size < 0) return size.has_value();
        const auto bytes = bulk(static_cast<size_t>(*size));
        out.type = Type::kBulk;
        out.text = bytes.value_or(std::string_view());
        return bytes.has_value();
      }
      case '*':
        return array(text, out, depth);
      default:
        return false;
    }
  }

 private:
  bool array(std::string_view text, Value& out, size_t depth) {
    const auto count = lengthOf(text);
    if (!count || *count < 0) return count.has_value();
    out.type = Type::kArray;
    if (*count > 0 && depth == kMaxDepth) return false;
    for (int64_t i = 0; i < *count; ++i) {
      if (!value(out.items.emplace_back(), depth + 1)) return false;
    }
    return true;
  }

  std::string_view rest_;
};

void appendHeader(char type, size_t number, std::string& out) {
  out += type;
  out += std::to_string(number);
  out += kEnd;
}

}  // namespace

void Framer::feed(std::string_view bytes) {
  const size_t done = in_message_ ? begin_ : at_;
  buffer_.erase(0, done);
  begin_ -= std::min(begin_, done);
  at_ -= done;
  line_ -= std::min(line_, done);
  buffer_ += bytes;
}

Framer::Result Framer::next(std::string_view& frame) {
  if (broken_) return Result::kBroken;
  if (!in_message_) {
    begin_ = at_;
    if (at_ == buffer_.size()) {
      if (buffer_.capacity() > kKeep) std::string().swap(buffer_);
      buffer_.clear();
      begin_ = at_ = line_ = 0;
      return Result::kNeedsMore;
    }
    in_message_ = true;
    items_ = 0;
    left_ = 1;
  }
  while (in_message_) {
    if (bulk_ >= 0) {
      const size_t size = static_cast<size_t>(bulk_);
      if (buffer_.size() - at_ < size + kEnd.size()) return Result::kNeedsMore;
      broken_ = std::string_view(buffer_).substr(at_ + size, kEnd.size()) != kEnd;
      if (broken_) return Result::kBroken;
      at_ += size + kEnd.size();
      bulk_ = -1;
      valueEnded();
      continue;
    }
    std::string_view line;
    const Line state = readLine(line);
    if (state == Line::kNeedsMore) return Result::kNeedsMore;
    broken_ = state == Line::kBroken || !takeHeader(line) || tooLong();
    if (broken_) return Result::kBroken;
  }
  frame = std::string_view(buffer_).substr(begin_, at_ - begin_);
  return Result::kFrame;
}

// Its first byte is looked at before its end is there: what is no message is known at once.
Framer::Line Framer::readLine(std::string_view& line) {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return Line::kNeedsMore;
  if (std::string_view("*$+-:").find(rest.front()) == std::string_view::npos) return Line::kBroken;
  const size_t from = line_ > at_ ? line_ - at_ : 0;
  const size_t end = rest.find_first_of(kEnd, from);
  if (end == std::string_view::npos || end + 1 == rest.size()) {
    line_ = at_ + (end == std::string_view::npos ? rest.size() : end);
    const bool bad = end != std::string_view::npos && rest[end] == '\n';
    return bad || rest.size() > limits_.line ? Line::kBroken : Line::kNeedsMore;
  }
  if (rest.substr(end, kEnd.size()) != kEnd || end > limits_.line) return Line::kBroken;
  line = rest.substr(0, end);
  at_ += end + kEnd.size();
  line_ = at_;
  return Line::kWhole;
}

bool Framer::takeHeader(std::string_view line) {
  const std::string_view text = line.substr(1);
  switch (line.front()) {
    case ':':
      if (!integerOf(text)) return false;
      break;
    case '$': {
      const auto size = lengthOf(text);
      if (!size) return false;
      if (*size >= 0) {
        if (static_cast<uint64_t>(*size) > limits_.bytes) return false;
        bulk_ = *size;
        return at_ - begin_ + static_cast<size_t>(*size) <= limits_.bytes;
      }
      break;
    }
    case '*': {
      const auto count = lengthOf(text);
      if (!count) return false;
      if (*count > 0) return takeArray(*count);
      break;
    }
    default:
      break;
  }
  valueEnded();
  return true;
}

bool Framer::takeArray(int64_t count) {
  if (count > static_cast<int64_t>(limits_.items - std::min(items_, limits_.items))) return false;
  items_ += static_cast<uint32_t>(count);
  left_ += static_cast<uint64_t>(count) - 1;
  return true;
}

void Framer::valueEnded() {
  in_message_ = --left_ > 0;
}

std::optional<Value> parse(std::string_view frame) {
  Reader reader(frame);
  Value out;
  if (!reader.value(out, 0) || !reader.rest().empty()) return std::nullopt;
  return out;
}

bool parseCommand(std::string_view frame, std::vector<std::string_view>& words) {
  words.clear();
  Reader reader(frame);
  const auto head = reader.line();
  if (!head || head->front() != '*') return false;
  const auto count = lengthOf(head->substr(1));
  if (!count || *count < 1) return false;
  for (int64_t i = 0; i < *count; ++i) {
    const auto line = reader.line();
    if (!line || line->front() != '$') return false;
    const auto size = lengthOf(line->substr(1));
    if (!size || *size < 0) return false;
    const auto word = reader.bulk(static_cast<size_t>(*size));
    if (!word) return false;
    words.push_back(*word);
  }
  return reader.rest().empty();
}

std::optional<List> listOf(std::string_view frame) {
  Reader reader(frame);
  const auto head = reader.line();
  if (!head || head->front() != '*') return std::nullopt;
  const auto count = lengthOf(head->substr(1));
  if (!count || *count < 0) return std::nullopt;
  return List{static_cast<size_t>(*count), reader.rest()};
}

Type typeOf(std::string_view frame) {
  switch (frame.empty() ? '$' : frame.front()) {
    case '+':
      return Type::kSimple;
    case '-':
      return Type::kError;
    case ':':
      return Type::kInteger;
    case '*':
      return frame.starts_with("*-") ? Type::kNull : Type::kArray;
    default:
      return frame.empty() || frame.starts_with("$-") ? Type::kNull : Type::kBulk;
  }
}

std::string_view lineOf(std::string_view frame) {
  const size_t end = frame.find(kEnd);
  return end == std::string_view::npos || end == 0 ? std::string_view() : frame.substr(1, end - 1);
}

void appendSimple(std::string_view text, std::string& out) {
  out += '+';
  out += text;
  out += kEnd;
}

void appendError(std::string_view text, std::string& out) {
  out += '-';
  for (const char c : text) out += c == '\r' || c == '\n' ? ' ' : c;
  out += kEnd;
}

void appendInteger(int64_t value, std::string& out) {
  out += ':';
  out += std::to_string(value);
  out += kEnd;
}

void appendBulk(std::string_view text, std::string& out) {
  appendHeader('$', text.size(), out);
  out += text;
  out += kEnd;
}

void appendNull(std::string& out) {
  out += "$-1\r\n";
}

void appendArray(size_t items, std::string& out) {
  appendHeader('*', items, out);
}

void appendCommand(std::span<const std::string_view> words, std::string& out) {
  appendArray(words.size(), out);
  for (const std::string_view word : words) appendBulk(word, out);
}

std::string simple(std::string_view text) {
  std::string out;
  appendSimple(text, out);
  return out;
}

std::string error(std::string_view text) {
  std::string out;
  appendError(text, out);
  return out;
}

std::string command(std::initializer_list<std::string_view> words) {
  std::string out;
  appendCommand({words.begin(), words.size()}, out);
  return out;
}

}  // namespace sluice::redis
