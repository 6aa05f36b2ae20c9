#include "source/route/scopes.h"

#include <cstring>

#include "source/match/header.h"

namespace sluice::route {
namespace {

// The part of `text` in front of `separator`, which is taken off with it; all of it if there is none.
std::string_view takeUntil(std::string_view& text, std::string_view separator, bool& last) {
  const size_t at = separator.empty() ? std::string_view::npos : text.find(separator);
  last = at == std::string_view::npos;
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(last ? text.size() : at + separator.size());
  return part;
}

// Fragments with their sizes in front, so that no two lists of them look alike.
void append(std::string_view fragment, char*& at) {
  const auto size = static_cast<uint32_t>(fragment.size());
  std::memcpy(at, &size, sizeof(size));
  at += sizeof(size);
  if (!fragment.empty()) std::memcpy(at, fragment.data(), fragment.size());
  at += fragment.size();
}

}  // namespace

std::optional<std::string_view> ScopeFragment::of(const http::RequestHeaders& request) const {
  std::optional<std::string_view> value;
  match::anyHeaderValue(request, header, http::nameOf(header), [&value](std::string_view line) {
    value = line;
    return true;
  });
  if (!value) return std::nullopt;
  bool last = false;
  for (uint32_t i = 0; !last; ++i) {
    const std::string_view part = takeUntil(*value, element_separator, last);
    if (!element) {
      if (i == index) return part;
      continue;
    }
    std::string_view rest = part;
    bool alone = false;
    if (takeUntil(rest, element->separator, alone) == element->key) return rest;
  }
  return std::nullopt;
}

std::optional<std::string_view> ScopeKeyBuilder::keyOf(const http::RequestHeaders& request, base::Arena& arena) const {
  auto* const parts = arena.allocateArray<std::string_view>(fragments_.size());
  size_t size = 0;
  for (size_t i = 0; i < fragments_.size(); ++i) {
    const std::optional<std::string_view> part = fragments_[i].of(request);
    if (!part) return std::nullopt;
    parts[i] = *part;
    size += sizeof(uint32_t) + part->size();
  }
  char* const key = arena.allocate(size);
  char* at = key;
  for (size_t i = 0; i < fragments_.size(); ++i) append(parts[i], at);
  return std::string_view(key, size);
}

std::string scopeKey(std::span<const std::string> fragments) {
  size_t size = 0;
  for (const std::string& fragment : fragments) size += sizeof(uint32_t) + fragment.size();
  std::string key(size, '\0');
  char* at = key.data();
  for (const std::string& fragment : fragments) append(fragment, at);
  return key;
}

}  // namespace sluice::route
