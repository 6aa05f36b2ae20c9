#include "source/filter/credentials/key_sources.h"

#include <algorithm>

#include "source/base/percent.h"
#include "source/http/query.h"
#include "source/http/rules.h"

namespace sluice::filter {
namespace {

using Place = KeySource::Place;

constexpr std::string_view kBearer = "Bearer ";

// Calls visit(cookie, is_named) for each cookie of a field.
template <typename Visit>
void visitCookies(std::string_view field, std::string_view name, Visit visit) {
  while (!field.empty()) {
    const size_t end = std::min(field.find(';'), field.size());
    const std::string_view cookie = http::withoutSpaces(field.substr(0, end));
    field.remove_prefix(std::min(end + 1, field.size()));
    visit(cookie, cookie.size() > name.size() && cookie[name.size()] == '=' && cookie.starts_with(name));
  }
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// Calls visit(key) for each key at `source`, empty ones too.
template <typename Visit>
void visitKeys(const KeySource& source, const http::RequestHeaders& headers, Visit visit) {
  if (source.place == Place::kQuery) {
    std::string_view rest = http::queryOf(headers.path).value_or("");
    while (!rest.empty()) {
      const http::QueryParameter parameter = http::takeParameter(rest);
      if (!base::equalsPercentDecoded(parameter.name, source.name)) continue;
      const bool plain = parameter.value.find('%') == std::string_view::npos;
      visit(plain ? parameter.value : headers.arena().copy(base::percentDecoded(parameter.value)));
    }
    return;
  }
  const bool cookies = source.place == Place::kCookie;
  for (const http::Field& field : headers) {
    if (cookies && field.id == http::Name::kCookie) {
      visitCookies(field.value, source.name, [&](std::string_view cookie, bool is_named) {
        if (is_named) visit(unquoted(cookie.substr(source.name.size() + 1)));
      });
    } else if (!cookies && field.name == source.name) {
      visit(field.value.starts_with(kBearer) ? field.value.substr(kBearer.size()) : field.value);
    }
  }
}

void hideInQuery(std::string_view name, http::RequestHeaders& headers) {
  std::string_view rest = http::queryOf(headers.path).value_or("");
  std::string kept;
  bool hidden = false;
  while (!rest.empty()) {
    const http::QueryParameter parameter = http::takeParameter(rest);
    if (base::equalsPercentDecoded(parameter.name, name)) {
      hidden = true;
      continue;
    }
    kept += kept.empty() ? '?' : '&';
    kept += parameter.text;
  }
  if (hidden) headers.path = headers.arena().concat(headers.pathOnly(), kept);
}

void hideCookies(std::string_view name, http::RequestHeaders& headers) {
  std::vector<std::string> kept;  // the fields that are left
  bool hidden = false;
  for (const http::Field& field : headers) {
    if (field.id != http::Name::kCookie) continue;
    std::string cookies;
    visitCookies(field.value, name, [&](std::string_view cookie, bool is_named) {
      hidden |= is_named;
      if (is_named || cookie.empty()) return;
      if (!cookies.empty()) cookies += "; ";
      cookies += cookie;
    });
    if (!cookies.empty()) kept.push_back(std::move(cookies));
  }
  if (!hidden) return;
  headers.remove(http::Name::kCookie);
  for (const std::string& cookies : kept) headers.add(http::Name::kCookie, cookies);
}

}  // namespace

ShownKey shownKey(const std::vector<KeySource>& sources, const http::RequestHeaders& headers) {
  ShownKey out;
  for (const KeySource& source : sources) {
    visitKeys(source, headers, [&out](std::string_view key) {
      out.several |= !out.key.empty() && !key.empty();
      if (out.key.empty()) out.key = key;
    });
    if (!out.key.empty()) break;
  }
  return out;
}

void hideKeys(const std::vector<KeySource>& sources, http::RequestHeaders& headers) {
  for (const KeySource& source : sources) {
    switch (source.place) {
      case Place::kHeader:
        headers.remove(source.name);
        break;
      case Place::kQuery:
        hideInQuery(source.name, headers);
        break;
      case Place::kCookie:
        hideCookies(source.name, headers);
        break;
    }
  }
}

}  // namespace sluice::filter
