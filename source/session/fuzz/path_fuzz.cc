// Paths: what normalizePath gives is stable, and no server finds another path in it than the one that rules were
// matched with, whether it takes parameters off its segments, decodes them, or does one after the other.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "source/session/request_policy.h"

namespace sluice::session {
namespace {

void require(bool holds, const char* what, std::string_view path, std::string_view normal) {
  if (holds) return;
  std::fprintf(stderr, "%s\n--- path\n%.*s\n--- normal\n%.*s\n", what, static_cast<int>(path.size()), path.data(),
               static_cast<int>(normal.size()), normal.data());
  std::abort();
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string_view bare(std::string_view segment) {
  return segment.substr(0, segment.find(';'));
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    path.remove_prefix(1);
    out.push_back(path.substr(0, path.find('/')));
    path.remove_prefix(out.back().size());
  }
  return out;
}

void check(std::string_view path, bool merge_slashes) {
  base::Arena arena;
  const auto normal = normalizePath(arena, path, merge_slashes);
  if (!normal) return;
  require(normal->starts_with('/'), "a path begins with a slash", path, *normal);
  require(normalizePath(arena, *normal, merge_slashes) == normal, "not stable", path, *normal);
  const std::vector<std::string_view> parts = segments(normal->substr(0, normal->find('?')));
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string whole = decoded(parts[i]);
    require(whole.find('\0') == std::string::npos, "a NUL", path, *normal);
    for (const std::string_view seen : {parts[i], bare(parts[i]), std::string_view(whole), bare(whole)}) {
      require(seen != "." && seen != "..", "a dot segment is left", path, *normal);
      const bool last = i + 1 == parts.size();
      require(!merge_slashes || last || !seen.empty(), "an empty segment is left", path, *normal);
    }
  }
}

}  // namespace
}  // namespace sluice::session

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A request's path is visible ASCII and begins with a slash.
  const std::vector<char> bytes(data, data + size);
  for (const char c : bytes) {
    if (c <= ' ' || c == 0x7f || c == '#') return 0;
  }
  if (bytes.empty() || bytes[0] != '/') return 0;
  for (const bool merge_slashes : {false, true}) sluice::session::check({bytes.data(), bytes.size()}, merge_slashes);
  return 0;
}
