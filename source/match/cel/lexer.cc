#include "source/match/cel/lexer.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "source/base/text.h"
#include "source/base/utf8.h"

namespace sluice::match::cel {
namespace {

bool isIdentStart(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool isDigit(char c) {
  return absl::ascii_isdigit(static_cast<unsigned char>(c));
}

void appendUtf8(uint32_t code, std::string& out) {
  const auto push = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xc0 | code >> 6);
    push(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    push(0xe0 | code >> 12);
    push(0x80 | (code >> 6 & 0x3f));
    push(0x80 | (code & 0x3f));
  } else {
    push(0xf0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3f));
    push(0x80 | (code >> 6 & 0x3f));
    push(0x80 | (code & 0x3f));
  }
}

// `count` digits of base 8 or 16 at the front of `text`.
std::optional<uint32_t> digits(std::string_view text, size_t count, uint32_t base) {
  if (text.size() < count) return std::nullopt;
  uint32_t value = 0;
  for (const char c : text.substr(0, count)) {
    const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
    const uint32_t digit = isDigit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

// Appends what the escape at the front of `text` (behind its backslash) means; its length, or 0 if there is no such
// one. Numbers below 256 are bytes in bytes literals, and code points elsewhere.
size_t appendEscape(std::string_view text, bool bytes, std::string& out) {
  static constexpr std::string_view kNames = "abfnrtv\\?\"'`", kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
  if (text.empty()) return 0;
  if (const size_t found = kNames.find(text[0]); found != std::string_view::npos) {
    out += kMeanings[found];
    return 1;
  }
  std::optional<uint32_t> code;
  size_t used = 0;
  if (text[0] == 'x' || text[0] == 'X') {
    code = digits(text.substr(1), 2, 16);
    used = 3;
  } else if (text[0] >= '0' && text[0] <= '3') {
    code = digits(text, 3, 8);
    used = 3;
  } else if (text[0] == 'u' && !bytes) {
    code = digits(text.substr(1), 4, 16);
    used = 5;
  } else if (text[0] == 'U' && !bytes) {
    code = digits(text.substr(1), 8, 16);
    used = 9;
  }
  if (!code || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000)) return 0;
  if (bytes) {
    out += static_cast<char>(*code);
  } else {
    appendUtf8(*code, out);
  }
  return used;
}

}  // namespace

absl::Status errorAt(std::string_view source, size_t offset, std::string_view message) {
  size_t line = 1, column = 1;
  for (size_t i = 0; i < offset && i < source.size(); ++i) {
    if (source[i] == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(source[i]) & 0xc0) != 0x80) {
      ++column;
    }
  }
  return absl::InvalidArgumentError(base::strCat(line, ":", column, ": ", message));
}

void Lexer::skipSpace() {
  while (next_ < source_.size()) {
    const char c = source_[next_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
      ++next_;
    } else if (c == '/' && at(next_ + 1) == '/') {
      next_ = std::min(source_.find('\n', next_), source_.size());
    } else {
      return;
    }
  }
}

absl::Status Lexer::next(Token& out) {
  skipSpace();
  out.offset = static_cast<uint32_t>(next_);
  out.constant = {};
  if (next_ == source_.size()) {
    out.kind = Token::Kind::kEnd;
    out.text = {};
    return absl::OkStatus();
  }
  // [bB]?[rR]? and a quote
  size_t prefix = 0;
  const bool bytes = absl::ascii_tolower(static_cast<unsigned char>(at(next_))) == 'b';
  if (bytes) ++prefix;
  const bool raw = absl::ascii_tolower(static_cast<unsigned char>(at(next_ + prefix))) == 'r';
  if (raw) ++prefix;
  if (at(next_ + prefix) == '"' || at(next_ + prefix) == '\'') return readText(out, prefix, raw, bytes);
  const char c = at(next_);
  if (isIdentStart(c)) {
    readIdent(out);
    return absl::OkStatus();
  }
  if (isDigit(c) || (c == '.' && isDigit(at(next_ + 1)))) {
    readNumber(out);
    return absl::OkStatus();
  }
  return c == '`' ? readQuoted(out) : readSymbol(out);
}

void Lexer::readIdent(Token& out) {
  size_t end = next_;
  while (isIdentStart(at(end)) || isDigit(at(end))) ++end;
  out.kind = Token::Kind::kIdent;
  out.text = source_.substr(next_, end - next_);
  next_ = end;
}

// As long as it looks like one; the parser says whether it is.
void Lexer::readNumber(Token& out) {
  size_t end = next_;
  const bool hex = at(end) == '0' && (at(end + 1) == 'x' || at(end + 1) == 'X');
  if (hex) {
    end += 2;
  } else {
    while (isDigit(at(end))) ++end;
    if (at(end) == '.' && isDigit(at(end + 1))) {
      ++end;
      while (isDigit(at(end))) ++end;
    }
    if (at(end) == 'e' || at(end) == 'E') {
      const size_t sign = at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0;
      if (isDigit(at(end + 1 + sign))) end += 1 + sign;
    }
  }
  while (isIdentStart(at(end)) || isDigit(at(end))) ++end;
  out.kind = Token::Kind::kNumber;
  out.text = source_.substr(next_, end - next_);
  next_ = end;
}

absl::Status Lexer::readText(Token& out, size_t prefix, bool raw, bool bytes) {
  const size_t begin = next_ + prefix;
  const char quote = at(begin);
  const bool triple = at(begin + 1) == quote && at(begin + 2) == quote;
  const size_t width = triple ? 3 : 1;
  const std::string_view close = source_.substr(begin, width);
  std::string value;
  for (size_t i = begin + width; i < source_.size();) {
    const char c = source_[i];
    if (source_.substr(i, width) == close) {
      if (!bytes && !base::isUtf8(value))
        return errorAt(source_, next_, "the text is no UTF-8; write b'...' for bytes");
      out.kind = Token::Kind::kText;
      out.text = source_.substr(next_, i + width - next_);
      next_ = i + width;
      if (bytes) {
        out.constant = Bytes{std::move(value)};
      } else {
        out.constant = std::move(value);
      }
      return absl::OkStatus();
    }
    if (!triple && (c == '\n' || c == '\r')) break;
    if (c == '\\' && !raw) {
      const size_t used = appendEscape(source_.substr(i + 1), bytes, value);
      if (used == 0) return errorAt(source_, i, "no such escape; write \\\\ for a backslash, or r'...' for a raw text");
      i += 1 + used;
      continue;
    }
    value += c;
    ++i;
  }
  return errorAt(source_, next_, base::strCat("the text has no end; expected ", close));
}

absl::Status Lexer::readQuoted(Token& out) {
  size_t end = next_ + 1;
  const auto fits = [](char c) {
    return isIdentStart(c) || isDigit(c) || c == '.' || c == '-' || c == '/' || c == ' ';
  };
  while (fits(at(end))) ++end;
  if (at(end) != '`' || end == next_ + 1) {
    return errorAt(source_, next_, "expected a name between backticks, of letters, digits, '_', '.', '-', '/' and ' '");
  }
  out.kind = Token::Kind::kQuoted;
  out.text = source_.substr(next_, end + 1 - next_);
  out.constant = std::string(source_.substr(next_ + 1, end - next_ - 1));
  next_ = end + 1;
  return absl::OkStatus();
}

absl::Status Lexer::readSymbol(Token& out) {
  static constexpr std::string_view kDouble[] = {"==", "!=", "<=", ">=", "&&", "||"};
  out.kind = Token::Kind::kSymbol;
  for (const std::string_view symbol : kDouble) {
    if (source_.substr(next_, 2) != symbol) continue;
    out.text = symbol;
    next_ += 2;
    return absl::OkStatus();
  }
  if (std::string_view("+-*/%!?:.,()[]{}<>").find(at(next_)) == std::string_view::npos || at(next_) == '\0') {
    const size_t size = std::max<size_t>(1, base::utf8Length(source_.substr(next_)));
    return errorAt(source_, next_, base::strCat("'", source_.substr(next_, size), "' has no meaning here"));
  }
  out.text = source_.substr(next_, 1);
  ++next_;
  return absl::OkStatus();
}

}  // namespace sluice::match::cel
