// Document::parseJson: RFC 8259, with line and column for every value and every mistake. What protobuf's own reader
// takes beyond it is taken too, for there are files that rely on it: names without quotes, single quotes, a comma at
// the end, control characters in strings, a backslash before any character, "5.".

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "source/config/document.h"

namespace sluice::config {
namespace {

class JsonReader {
 public:
  JsonReader(std::string_view text, Document& document) : text_(text), document_(document) {}

  bool read() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = line_start_ = 3;
    skipSpace();
    if (at_ == text_.size()) return true;  // an empty file
    const DocumentNode* root = readValue(0);
    if (root == nullptr) return false;
    skipSpace();
    if (at_ != text_.size()) return fail("something follows the end of the JSON value");
    document_.setRoot(root);
    return true;
  }

  int line() const { return line_; }
  int column() const { return static_cast<int>(at_ - line_start_) + 1; }
  const std::string& failure() const { return failure_; }

 private:
  bool fail(std::string_view message) {
    failure_ = message;
    return false;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skipSpace() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      countLine(c);
      if (c != '\n' && c != ' ' && c != '\t' && c != '\r') return;
    }
  }

  // `c` stands at the present place.
  void countLine(char c) {
    if (c != '\n') return;
    ++line_;
    line_start_ = at_ + 1;
  }

  DocumentNode* make(DocumentNode::Kind kind) {
    DocumentNode* node = document_.makeNode();
    node->kind = kind;
    node->line = line();
    node->column = column();
    return node;
  }

  const DocumentNode* readValue(int depth) {
    if (depth > Document::kMaxDepth) {
      fail("values are nested deeper than 100 levels");
      return nullptr;
    }
    switch (peek()) {
      case '{':
        return readObject(depth);
      case '[':
        return readArray(depth);
      case '"':
      case '\'':
        return readString();
      default:
        return readLiteral();
    }
  }

  const DocumentNode* readObject(int depth) {
    DocumentNode* node = make(DocumentNode::Kind::kMapping);
    ++at_;
    while (true) {
      skipSpace();
      if (peek() == '}') {
        ++at_;
        return node;
      }
      const DocumentNode* key = peek() == '"' || peek() == '\'' ? readString() : readName();
      if (key == nullptr) return nullptr;
      skipSpace();
      if (peek() != ':') return reject("expected ':' after the name");
      ++at_;
      skipSpace();
      const DocumentNode* value = readValue(depth + 1);
      if (value == nullptr) return nullptr;
      node->entries.push_back({key, value, false});
      skipSpace();
      const char c = peek();
      if (c != ',' && c != '}') return reject("expected ',' or '}' after the value");
      ++at_;
      if (c == '}') return node;
    }
  }

  const DocumentNode* readArray(int depth) {
    DocumentNode* node = make(DocumentNode::Kind::kSequence);
    ++at_;
    while (true) {
      skipSpace();
      if (peek() == ']') {
        ++at_;
        return node;
      }
      const DocumentNode* value = readValue(depth + 1);
      if (value == nullptr) return nullptr;
      node->items.push_back(value);
      skipSpace();
      const char c = peek();
      if (c != ',' && c != ']') return reject("expected ',' or ']' after the value");
      ++at_;
      if (c == ']') return node;
    }
  }

  const DocumentNode* reject(std::string_view message) {
    fail(message);
    return nullptr;
  }

  // A name without quotes: a letter, '_' or '$', then digits too.
  const DocumentNode* readName() {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$0123456789";
    const size_t end = std::min(text_.find_first_not_of(kLetters, at_), text_.size());
    const std::string_view name = text_.substr(at_, end - at_);
    if (name.empty() || (name[0] >= '0' && name[0] <= '9') || name == "true" || name == "false" || name == "null")
      return reject("expected a name in double quotes");
    DocumentNode* node = make(DocumentNode::Kind::kString);
    node->text = name;
    at_ = end;
    return node;
  }

  const DocumentNode* readString() {
    DocumentNode* node = make(DocumentNode::Kind::kString);
    const char quote = text_[at_];
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        return node;
      }
      countLine(c);
      if (c != '\\') {
        node->text += c;
      } else if (!readEscape(node->text)) {
        return nullptr;
      }
    }
    return reject("the string has no end");
  }

  // At the backslash; leaves at the last character of the escape.
  bool readEscape(std::string& out) {
    ++at_;
    switch (peek()) {
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u':
        return readUnicode(out);
      default:
        if (at_ >= text_.size()) return fail("the string has no end");
        countLine(peek());
        out += peek();
        return true;
    }
  }

  bool readHex(uint32_t& value) {
    value = 0;
    for (int i = 0; i < 4; ++i) {
      ++at_;
      const char c = peek();
      const bool digit = c >= '0' && c <= '9';
      const char letter = static_cast<char>(c | 0x20);
      if (!digit && (letter < 'a' || letter > 'f')) return fail("\\u takes four hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(digit ? c - '0' : letter - 'a' + 10);
    }
    return true;
  }

  bool readUnicode(std::string& out) {
    uint32_t code = 0;
    if (!readHex(code)) return false;
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low = 0;
      if (text_.substr(at_ + 1, 2) != "\\u") return fail("half a surrogate pair");
      at_ += 2;
      if (!readHex(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return fail("half a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
      return fail("half a surrogate pair");
    }
    appendUtf8(code, out);
    return true;
  }

  static void appendUtf8(uint32_t code, std::string& out) {
    const auto tail = [&out](uint32_t bits) { out += static_cast<char>(0x80 | (bits & 0x3F)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      tail(code);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      tail(code >> 6);
      tail(code);
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      tail(code >> 12);
      tail(code >> 6);
      tail(code);
    }
  }

  const DocumentNode* readLiteral() {
    DocumentNode* node = make(DocumentNode::Kind::kNull);
    const size_t start = at_;
    size_t end = at_;
    while (end < text_.size() && std::string_view(" \t\r\n,:]}").find(text_[end]) == std::string_view::npos) ++end;
    const std::string_view word = text_.substr(start, end - start);
    node->plain = true;
    node->text = word;
    if (word == "true" || word == "false") {
      node->kind = DocumentNode::Kind::kBool;
      node->boolean = word == "true";
    } else if (word != "null") {
      if (!isNumber(word))
        return reject("expected a value: an object, an array, a string, a number, true, false or null");
      const bool integral = word.find_first_of(".eE") == std::string_view::npos;
      node->kind = integral ? DocumentNode::Kind::kInteger : DocumentNode::Kind::kNumber;
    }
    at_ = end;
    return node;
  }

  // number = [ "-" ] int [ frac ] [ exp ]
  static bool isNumber(std::string_view word) {
    size_t i = 0;
    const auto digits = [&] {
      const size_t first = i;
      while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
      return i - first;
    };
    if (i < word.size() && word[i] == '-') ++i;
    const size_t int_start = i;
    const size_t int_digits = digits();
    if (int_digits == 0 || (int_digits > 1 && word[int_start] == '0')) return false;
    if (i < word.size() && word[i] == '.') {
      ++i;
      digits();
    }
    if (i < word.size() && (word[i] == 'e' || word[i] == 'E')) {
      ++i;
      if (i < word.size() && (word[i] == '-' || word[i] == '+')) ++i;
      if (digits() == 0) return false;
    }
    return i == word.size();
  }

  std::string_view text_;
  Document& document_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
  std::string failure_;
};

}  // namespace

bool Document::parseJson(std::string_view text, const std::string& file, ErrorList& errors) {
  if (text.size() > kMaxBytes) {
    errors.add({file, 0, 0, "", "", "is larger than 64 MiB; split it or serve it by xDS"});
    return false;
  }
  JsonReader reader(text, *this);
  if (reader.read()) return true;
  errors.add({file, reader.line(), reader.column(), "", "", absl::StrCat("is not JSON: ", reader.failure())});
  return false;
}

}  // namespace sluice::config
