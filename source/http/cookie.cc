#include "source/http/cookie.h"

#include <algorithm>

#include "source/http/rules.h"

namespace sluice::http {
namespace {

std::optional<std::string_view> valueIn(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const Cookie cookie = takeCookie(cookies);
    if (cookie.isSet() && cookie.name == name) return cookie.value;
  }
  return std::nullopt;
}

}  // namespace

Cookie takeCookie(std::string_view& cookies) {
  const size_t end = std::min(cookies.find(';'), cookies.size());
  const std::string_view text = withoutSpaces(cookies.substr(0, end));
  cookies.remove_prefix(std::min(end + 1, cookies.size()));
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {text, text, {}};
  std::string_view value = text.substr(equals + 1);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return {text, text.substr(0, equals), value};
}

void removeCookies(HeaderList& headers, std::string_view name) {
  std::vector<std::string> kept;  // the fields that are left
  bool removed = false;
  for (const Field& field : headers) {
    if (field.id != Name::kCookie) continue;
    std::string text;
    for (std::string_view rest = field.value; !rest.empty();) {
      const Cookie cookie = takeCookie(rest);
      removed |= cookie.mayBe(name);
      if (cookie.mayBe(name) || cookie.text.empty()) continue;
      if (!text.empty()) text += "; ";
      text += cookie.text;
    }
    if (!text.empty()) kept.push_back(std::move(text));
  }
  if (!removed) return;
  headers.remove(Name::kCookie);
  for (const std::string& text : kept) headers.add(Name::kCookie, text);
}

std::optional<std::string_view> cookieValue(const HeaderList& headers, std::string_view name) {
  if (!headers.has(Name::kCookie)) return std::nullopt;
  for (const Field& field : headers) {
    if (field.id != Name::kCookie) continue;
    if (const auto value = valueIn(field.value, name)) return value;
  }
  return std::nullopt;
}

std::string cookieAttributes(const CookieSettings& cookie) {
  std::string text;
  if (cookie.max_age) text += "; Max-Age=" + std::to_string(cookie.max_age->count());
  if (!cookie.path.empty()) text += "; Path=" + cookie.path;
  for (const auto& [name, attribute] : cookie.attributes) {
    text += "; " + name;
    if (!attribute.empty()) text += "=" + attribute;
  }
  return text + "; HttpOnly";
}

std::string_view setCookieText(base::Arena& arena, const CookieSettings& cookie, std::string_view value) {
  return arena.concat(std::string_view(cookie.name), "=\"", value, "\"", cookieAttributes(cookie));
}

}  // namespace sluice::http
