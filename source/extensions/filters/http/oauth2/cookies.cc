#include "source/extensions/filters/http/oauth2/cookies.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/http/cookie.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::oauth2 {
namespace {

// Which of them has that name, and what stands behind it. kCount: none.
std::pair<CookieKind, std::string_view> kindOf(const CookieRules& rules, std::string_view name) {
  for (size_t i = 0; i < kCookieKinds; ++i) {
    const std::string_view own = rules.of[i].name;
    if (!name.starts_with(own)) continue;
    const std::string_view rest = name.substr(own.size());
    if (rest.empty() || rest.front() == '.') return {static_cast<CookieKind>(i), rest.substr(rest.empty() ? 0 : 1)};
  }
  return {CookieKind::kCount, {}};
}

// "*N*..."; nullopt: it stands in one piece.
std::optional<size_t> takePieceCount(std::string_view& value) {
  if (!value.starts_with('*')) return std::nullopt;
  const size_t end = value.find('*', 1);
  size_t count = 0;
  if (end == std::string_view::npos || !absl::SimpleAtoi(base::toAbsl(value.substr(1, end - 1)), &count)) return 0;
  value.remove_prefix(end + 1);
  return count;
}

std::string_view textOf(SameSite same_site) {
  switch (same_site) {
    case SameSite::kStrict:
      return "Strict";
    case SameSite::kLax:
      return "Lax";
    case SameSite::kNone:
      return "None";
    case SameSite::kUnsaid:
      break;
  }
  return {};
}

}  // namespace

CookieJar::CookieJar(const CookieRules& rules, const http::HeaderList& headers) {
  if (!headers.has(http::Name::kCookie)) return;
  for (const http::Field& field : headers) {
    if (field.id != http::Name::kCookie) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const http::Cookie cookie = http::takeCookie(rest);
      if (!cookie.isSet()) continue;
      const auto [kind, suffix] = kindOf(rules, cookie.name);
      if (kind == CookieKind::kCount) continue;
      Found& found = found_[static_cast<size_t>(kind)];
      if (found.size() < kMaxCookies) found.emplace_back(suffix, cookie.value);
    }
  }
}

bool CookieJar::empty() const {
  return std::all_of(found_.begin(), found_.end(), [](const Found& one) { return one.empty(); });
}

std::optional<std::string_view> CookieJar::value(CookieKind kind, std::string_view suffix) const {
  const Found& found = of(kind);
  const auto one = std::find_if(found.begin(), found.end(), [&](const auto& item) { return item.first == suffix; });
  return one == found.end() ? std::nullopt : std::optional(one->second);
}

std::optional<std::string> CookieJar::value(CookieKind kind) const {
  const std::optional<std::string_view> first = value(kind, "");
  if (!first) return std::nullopt;
  std::string_view text = *first;
  const std::optional<size_t> count = takePieceCount(text);
  std::string out(text);
  if (!count) return out;
  if (*count < 2 || *count > kMaxPieces) return std::nullopt;
  for (size_t i = 1; i < *count; ++i) {
    const std::optional<std::string_view> piece = value(kind, std::to_string(i));
    if (!piece) return std::nullopt;
    out += *piece;
  }
  return out;
}

std::vector<std::string_view> CookieJar::suffixes(CookieKind kind) const {
  std::vector<std::string_view> out;
  for (const auto& [suffix, value] : of(kind)) {
    if (std::find(out.begin(), out.end(), suffix) == out.end()) out.push_back(suffix);
  }
  return out;
}

void removeCookies(const CookieRules& rules, http::HeaderList& headers) {
  std::vector<std::string> kept;  // the fields that are left
  bool removed = false;
  for (const http::Field& field : headers) {
    if (field.id != http::Name::kCookie) continue;
    std::string text;
    for (std::string_view rest = field.value; !rest.empty();) {
      const http::Cookie cookie = http::takeCookie(rest);
      const bool ours = kindOf(rules, http::withoutSpaces(cookie.name)).first != CookieKind::kCount;
      removed |= ours;
      if (ours || cookie.text.empty()) continue;
      base::strAppend(text, text.empty() ? "" : "; ", cookie.text);
    }
    if (!text.empty()) kept.push_back(std::move(text));
  }
  if (!removed) return;
  headers.remove(http::Name::kCookie);
  for (const std::string& text : kept) headers.add(http::Name::kCookie, text);
}

bool CookieWriter::set(CookieKind kind, std::string_view value, std::chrono::seconds max_age) {
  const size_t room = kMaxPiece - rules_[kind].name.size() - 8;  // "*16*", ".15" and "="
  const size_t count = (value.size() + room - 1) / room;
  if (count > kMaxPieces) return false;
  for (const std::string_view suffix : jar_.suffixes(kind)) {
    size_t piece = 0;
    if (!suffix.empty() && (!absl::SimpleAtoi(base::toAbsl(suffix), &piece) || piece >= count)) clear(kind, suffix);
  }
  for (size_t i = 0; i < count; ++i) {
    const std::string_view part = value.substr(i * room, room);
    const bool marked = i == 0 && count > 1;
    add(kind, i == 0 ? "" : std::to_string(i), marked ? base::strCat("*", count, "*", part) : std::string(part),
        max_age);
  }
  return true;
}

void CookieWriter::set(CookieKind kind, std::string_view suffix, std::string_view value, std::chrono::seconds max_age) {
  add(kind, suffix, value, max_age);
}

void CookieWriter::clear(CookieKind kind, std::string_view suffix) {
  add(kind, suffix, "", std::chrono::seconds(0));
}

void CookieWriter::clear(CookieKind kind) {
  for (const std::string_view suffix : jar_.suffixes(kind)) clear(kind, suffix);
}

void CookieWriter::clearAll() {
  for (size_t i = 0; i < kCookieKinds; ++i) {
    const auto kind = static_cast<CookieKind>(i);
    clear(kind);
    // It may have a path that is not this request's.
    if (!jar_.value(kind, "")) clear(kind, "");
  }
}

size_t CookieWriter::bytes() const {
  size_t sum = 0;
  for (const std::string& field : fields_) sum += field.size();
  return sum;
}

std::string CookieWriter::nameOf(CookieKind kind, std::string_view suffix) const {
  return base::strCat(rules_[kind].name, suffix.empty() ? "" : ".", suffix);
}

void CookieWriter::add(CookieKind kind, std::string_view suffix, std::string_view value, std::chrono::seconds max_age) {
  const CookieRule& rule = rules_[kind];
  http::CookieSettings cookie{.name = nameOf(kind, suffix), .path = rule.path, .max_age = max_age};
  if (!rules_.domain.empty()) cookie.attributes.emplace_back("Domain", rules_.domain);
  // What browsers do not take without it.
  const bool needs_secure = rule.same_site == SameSite::kNone || rule.partitioned ||
                            rule.name.starts_with("__Secure-") || rule.name.starts_with("__Host-");
  if (secure_ || needs_secure) cookie.attributes.emplace_back("Secure", "");
  if (rule.same_site != SameSite::kUnsaid) cookie.attributes.emplace_back("SameSite", textOf(rule.same_site));
  if (rule.partitioned) cookie.attributes.emplace_back("Partitioned", "");
  fields_.push_back(base::strCat(cookie.name, "=", value, http::cookieAttributes(cookie)));
}

}  // namespace sluice::extensions::http_filters::oauth2
