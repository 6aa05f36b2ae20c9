#include "source/stream/query.h"

#include <cstdint>

namespace sluice::stream {
namespace {

// 16: no digit.
uint8_t digitOf(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return 16;
}

}  // namespace

std::optional<std::string_view> queryOf(std::string_view path) {
  const size_t mark = path.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  return path.substr(mark + 1);
}

std::string percentDecoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && digitOf(text[i + 1]) < 16 && digitOf(text[i + 2]) < 16;
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(digitOf(text[i + 1]) << 4 | digitOf(text[i + 2]));
    i += 2;
  }
  return out;
}

std::optional<std::string> queryParameterOf(std::string_view path, std::string_view name) {
  std::string_view rest = queryOf(path).value_or("");
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const size_t equals = pair.find('=');
    if (percentDecoded(pair.substr(0, equals)) == name) {
      return equals == std::string_view::npos ? std::string() : percentDecoded(pair.substr(equals + 1));
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return std::nullopt;
}

}  // namespace sluice::stream
