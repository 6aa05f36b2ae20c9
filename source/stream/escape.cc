// Escaping of values that come from outside.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "source/stream/formatter.h"

namespace sluice::stream {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

// Bytes that pass as they are in both escapings.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> out{};
  for (size_t i = 0x20; i < 0x7f; ++i) out[i] = i != '"' && i != '\\';
  return out;
}();

// The length of the UTF-8 sequence at the beginning of `text` (RFC 3629: no surrogates, no overlong forms), or 0.
// C1 control characters (U+0080 to U+009F) count as invalid: terminals act on them.
size_t sequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !tail(1)) return 0;
  if (first < 0xe0) return first == 0xc2 && byte(1) < 0xa0 ? 0 : 2;
  if (!tail(2)) return 0;
  if (first < 0xf0) {
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) >= 0xa0) return 0;
    return 3;
  }
  if (!tail(3)) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) >= 0x90) return 0;
  return 4;
}

// True if one of eight bytes is not plain: below 0x20, above 0x7e, '"' or '\\'.
bool hasSpecial(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = kOnes << 7;
  const auto hasZero = [](uint64_t value) { return (value - kOnes) & ~value & kHighs; };
  const uint64_t control = (bytes - kOnes * 0x20) & ~bytes & kHighs;
  return (control | (bytes & kHighs) | hasZero(bytes ^ kOnes * 0x7f) | hasZero(bytes ^ kOnes * '"') |
          hasZero(bytes ^ kOnes * '\\')) != 0;
}

// True if every byte passes as it is: the case that must be fast.
bool isPlain(std::string_view text) {
  const auto load = [&](size_t at) {
    uint64_t out;
    std::memcpy(&out, text.data() + at, sizeof(out));
    return out;
  };
  if (text.size() < 8) {
    bool plain = true;
    for (const char c : text) plain &= kPlain[static_cast<unsigned char>(c)];
    return plain;
  }
  for (size_t i = 0; i + 8 < text.size(); i += 8) {
    if (hasSpecial(load(i))) return false;
  }
  return !hasSpecial(load(text.size() - 8));
}

// Appends runs of harmless bytes whole and gives the others to `escape(rest)`, which returns how many it took.
template <typename EscapeOne>
void appendWith(std::string_view text, std::string& out, EscapeOne escape) {
  if (isPlain(text)) {
    out.append(text);
    return;
  }
  size_t run = 0;
  for (size_t i = 0; i < text.size();) {
    if (kPlain[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    out.append(text, run, i - run);
    i += escape(text.substr(i));
    run = i;
  }
  out.append(text, run, std::string_view::npos);
}

// The letter of a two-character escape, or 0.
char shortEscape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

void appendHex(std::string_view lead, unsigned char byte, std::string& out) {
  out += lead;
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

void appendNumber(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 32> text;
  const bool whole = value == std::floor(value) && std::abs(value) < 0x1p63;  // integers are exact: 100000, not 1e+05
  const auto result = whole ? std::to_chars(text.data(), text.data() + text.size(), static_cast<int64_t>(value))
                            : std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), result.ptr - text.data());
}

}  // namespace

void appendLineEscaped(std::string_view text, std::string& out) {
  appendWith(text, out, [&](std::string_view rest) -> size_t {
    if (const char letter = shortEscape(rest[0])) {
      out += '\\';
      out += letter;
      return 1;
    }
    const auto first = static_cast<unsigned char>(rest[0]);
    const size_t length = first < 0x80 ? 0 : sequenceLength(rest);
    if (length == 0) {
      appendHex("\\x", first, out);
      return 1;
    }
    out.append(rest, 0, length);
    return length;
  });
}

void appendJsonEscaped(std::string_view text, std::string& out) {
  appendWith(text, out, [&](std::string_view rest) -> size_t {
    if (const char letter = shortEscape(rest[0])) {
      out += '\\';
      out += letter;
      return 1;
    }
    const auto first = static_cast<unsigned char>(rest[0]);
    if (first < 0x80) {
      appendHex("\\u00", first, out);
      return 1;
    }
    if (first == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) >= 0x80 &&
        static_cast<unsigned char>(rest[1]) < 0xa0) {
      appendHex("\\u00", static_cast<unsigned char>(rest[1]), out);
      return 2;
    }
    const size_t length = sequenceLength(rest);
    if (length == 0) {
      out += "\\ufffd";
      return 1;
    }
    out.append(rest, 0, length);
    return length;
  });
}

void appendJson(const MetadataValue& value, std::string& out) {
  if (const auto* flag = std::get_if<bool>(&value.value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<double>(&value.value)) {
    appendNumber(*number, out);
  } else if (const auto* text = std::get_if<std::string>(&value.value)) {
    out += '"';
    appendJsonEscaped(*text, out);
    out += '"';
  } else if (const auto* list = std::get_if<MetadataList>(&value.value)) {
    out += '[';
    for (const MetadataValue& item : *list) {
      if (&item != list->data()) out += ',';
      appendJson(item, out);
    }
    out += ']';
  } else if (const auto* fields = std::get_if<MetadataFields>(&value.value)) {
    out += '{';
    for (const auto& field : *fields) {
      out += &field == fields->data() ? "\"" : ",\"";
      appendJsonEscaped(field.name, out);
      out += "\":";
      appendJson(field.value, out);
    }
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace sluice::stream
