// The tokens of an expression. Used by parser.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "source/match/cel/ast.h"

namespace sluice::match::cel {

struct Token {
  enum class Kind : uint8_t { kEnd, kIdent, kQuoted, kNumber, kText, kSymbol };
  Kind kind = Kind::kEnd;
  uint32_t offset = 0;
  std::string_view text;  // as it is spelled
  Constant constant;      // kText; kQuoted: the name between backticks
};

// "LINE:COLUMN: MESSAGE"; both count from 1, columns in characters.
absl::Status errorAt(std::string_view source, size_t offset, std::string_view message);

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  // Reads the next token into `out`. At the end: kEnd, again and again.
  absl::Status next(Token& out);

 private:
  void skipSpace();
  void readIdent(Token& out);
  void readNumber(Token& out);
  absl::Status readText(Token& out, size_t prefix, bool raw, bool bytes);
  absl::Status readQuoted(Token& out);
  absl::Status readSymbol(Token& out);
  char at(size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }

  const std::string_view source_;
  size_t next_ = 0;
};

}  // namespace sluice::match::cel
