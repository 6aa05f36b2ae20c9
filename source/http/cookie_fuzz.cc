// Bytes -> a name and lines of the cookie header, a line each: the value found has to be the one that the whole list of
// cookies, taken apart, has first.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/cookie.h"

namespace {

using Cookies = std::vector<std::pair<std::string, std::string>>;

std::string trimmed(std::string text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == separator) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

void takeApart(const std::string& line, Cookies& out) {
  for (const std::string& part : split(line, ';')) {
    const std::string cookie = trimmed(part);
    const size_t equals = cookie.find('=');
    if (equals == std::string::npos) continue;
    std::string value = cookie.substr(equals + 1);
    if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    out.emplace_back(cookie.substr(0, equals), std::move(value));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<std::string> lines = split(std::string(reinterpret_cast<const char*>(data), size), '\n');
  const std::string& name = lines[0];
  if (name.find_first_of("=; \t") != std::string::npos) return 0;  // no cookie has that name

  sluice::base::Arena arena;
  sluice::http::HeaderList headers(arena);
  Cookies cookies;
  for (size_t i = 1; i < lines.size(); ++i) {
    headers.add("cookie", lines[i]);
    takeApart(lines[i], cookies);
  }
  std::optional<std::string_view> expected;
  for (auto cookie = cookies.rbegin(); cookie != cookies.rend(); ++cookie) {
    if (cookie->first == name) expected = cookie->second;
  }
  if (sluice::http::cookieValue(headers, name) != expected) std::abort();
  return 0;
}
