#include "source/http/structured_fields.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/text.h"

namespace sluice::http::structured {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool isKeyChar(char c) {
  return isLower(c) || isDigit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool isTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("!#$%&'*+-.^_`|~:/").find(c) != std::string_view::npos;
}

template <typename List>
auto findIn(const List& list, std::string_view key) {
  const auto found = std::find_if(list.begin(), list.end(), [key](const auto& each) { return each.key == key; });
  return found == list.end() ? nullptr : &*found;
}

// Section 4.2. Each function takes what it reads off the text; false, or nullopt: it does not stand there.
class Parser {
 public:
  Parser(std::string_view text, size_t most) : text_(text), most_(most) {}

  std::optional<Dictionary> dictionary() {
    Dictionary out;
    skip(" ");
    while (!text_.empty()) {
      auto name = key();
      if (!name || out.size() == most_ || findIn(out, *name) != nullptr) return std::nullopt;
      Member& member = out.emplace_back();
      member.key = *std::move(name);
      if (!memberValue(member.value)) return std::nullopt;
      skip(" \t");
      if (text_.empty()) return out;
      if (!take(',')) return std::nullopt;
      skip(" \t");
      if (text_.empty()) return std::nullopt;
    }
    return out;
  }

 private:
  void skip(std::string_view chars) { text_.remove_prefix(std::min(text_.find_first_not_of(chars), text_.size())); }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  template <typename Predicate>
  std::string_view takeWhile(Predicate is) {
    const auto end = std::find_if_not(text_.begin(), text_.end(), is);
    const std::string_view out = text_.substr(0, static_cast<size_t>(end - text_.begin()));
    text_.remove_prefix(out.size());
    return out;
  }

  std::optional<std::string> key() {
    if (text_.empty() || (!isLower(text_[0]) && text_[0] != '*')) return std::nullopt;
    return std::string(takeWhile(isKeyChar));
  }

  bool memberValue(std::variant<Item, InnerList>& out) {
    if (!take('=')) {
      Item& item = out.emplace<Item>();
      item.value = true;
      return parameters(item.parameters);
    }
    return text_.starts_with('(') ? innerList(out.emplace<InnerList>()) : item(out.emplace<Item>());
  }

  bool innerList(InnerList& out) {
    take('(');
    while (true) {
      skip(" ");
      if (take(')')) return parameters(out.parameters);
      if (out.items.size() == most_ || !item(out.items.emplace_back())) return false;
      if (!text_.starts_with(' ') && !text_.starts_with(')')) return false;
    }
  }

  bool item(Item& out) {
    auto value = bare();
    if (!value) return false;
    out.value = *std::move(value);
    return parameters(out.parameters);
  }

  bool parameters(Parameters& out) {
    while (take(';')) {
      skip(" ");
      auto name = key();
      if (!name || out.size() == most_ || findIn(out, *name) != nullptr) return false;
      std::optional<Bare> value = true;
      if (take('=')) value = bare();
      if (!value) return false;
      out.push_back({*std::move(name), *std::move(value)});
    }
    return true;
  }

  std::optional<Bare> bare() {
    if (text_.empty()) return std::nullopt;
    const char first = text_[0];
    if (first == '-' || isDigit(first)) return number();
    if (first == '"') return string();
    if (first == ':') return bytes();
    if (first == '?') return boolean();
    if (first != '*' && !absl::ascii_isalpha(static_cast<unsigned char>(first))) return std::nullopt;
    return Token{std::string(takeWhile(isTokenChar))};
  }

  std::optional<Bare> number() {
    constexpr size_t kMaxDigits = 15, kMaxWhole = 12, kMaxFraction = 3;
    const int64_t sign = take('-') ? -1 : 1;
    const std::string_view whole = takeWhile(isDigit);
    if (whole.empty() || whole.size() > kMaxDigits) return std::nullopt;
    int64_t value = 0;
    for (const char c : whole) value = value * 10 + (c - '0');
    if (!take('.')) return sign * value;
    const std::string_view fraction = takeWhile(isDigit);
    if (whole.size() > kMaxWhole || fraction.empty() || fraction.size() > kMaxFraction) return std::nullopt;
    for (size_t i = 0; i < kMaxFraction; ++i) value = value * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
    return Decimal{sign * value};
  }

  std::optional<Bare> string() {
    std::string out;
    for (take('"'); !text_.empty();) {
      char c = text_[0];
      text_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\') {
        if (!text_.starts_with('"') && !text_.starts_with('\\')) return std::nullopt;
        c = text_[0];
        text_.remove_prefix(1);
      } else if (c < 0x20 || c >= 0x7f) {
        return std::nullopt;
      }
      out += c;
    }
    return std::nullopt;
  }

  std::optional<Bare> bytes() {
    take(':');
    const std::string_view encoded = text_.substr(0, text_.find(':'));
    if (encoded.size() == text_.size()) return std::nullopt;
    Bytes out;
    // No second way to write the same bytes.
    if (!absl::Base64Unescape(base::toAbsl(encoded), &out.bytes) || absl::Base64Escape(out.bytes) != encoded)
      return std::nullopt;
    text_.remove_prefix(encoded.size() + 1);
    return out;
  }

  std::optional<Bare> boolean() {
    take('?');
    if (take('1')) return true;
    if (take('0')) return false;
    return std::nullopt;
  }

  std::string_view text_;
  const size_t most_;
};

struct Writer {
  std::string& out;

  void operator()(int64_t value) const { base::strAppend(out, value); }
  void operator()(const Decimal& value) const {
    const int64_t size = std::abs(value.thousandths);
    std::string fraction = std::to_string(1000 + size % 1000).substr(1);
    fraction.erase(std::max<size_t>(fraction.find_last_not_of('0') + 1, 1));
    base::strAppend(out, value.thousandths < 0 ? "-" : "", size / 1000, ".", fraction);
  }
  void operator()(const std::string& value) const {
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  void operator()(const Token& value) const { out += value.text; }
  void operator()(const Bytes& value) const { base::strAppend(out, ":", absl::Base64Escape(value.bytes), ":"); }
  void operator()(bool value) const { out += value ? "?1" : "?0"; }
};

void write(const Parameters& parameters, std::string& out) {
  for (const Parameter& each : parameters) {
    base::strAppend(out, ";", each.key);
    const auto* const flag = std::get_if<bool>(&each.value);
    if (flag != nullptr && *flag) continue;
    out += '=';
    std::visit(Writer{out}, each.value);
  }
}

void write(const Item& item, std::string& out) {
  std::visit(Writer{out}, item.value);
  write(item.parameters, out);
}

}  // namespace

const Bare* find(const Parameters& parameters, std::string_view key) {
  const Parameter* const found = findIn(parameters, key);
  return found == nullptr ? nullptr : &found->value;
}

const Member* find(const Dictionary& dictionary, std::string_view key) {
  return findIn(dictionary, key);
}

std::optional<Dictionary> parseDictionary(std::string_view text, size_t most) {
  return Parser(text, most).dictionary();
}

std::string serialize(const Item& item) {
  std::string out;
  write(item, out);
  return out;
}

std::string serialize(const InnerList& list) {
  std::string out = "(";
  for (const Item& item : list.items) {
    if (out.size() > 1) out += ' ';
    write(item, out);
  }
  out += ')';
  write(list.parameters, out);
  return out;
}

std::string serialize(const std::variant<Item, InnerList>& value) {
  return std::visit([](const auto& each) { return serialize(each); }, value);
}

}  // namespace sluice::http::structured
