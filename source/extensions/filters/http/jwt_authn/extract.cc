#include "source/extensions/filters/http/jwt_authn/extract.h"

#include <algorithm>
#include <optional>

#include "source/base/ascii.h"
#include "source/base/percent.h"
#include "source/filter/credentials/spoofed_names.h"
#include "source/http/cookie.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

constexpr bool isOfToken(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// What follows `prefix`, wherever that stands in the value: what a server might take for a token is one here, too.
std::optional<std::string_view> behindPrefix(std::string_view value, std::string_view prefix) {
  if (prefix.empty()) return value;
  const auto same = [](char x, char lower) { return x == lower || (x == '\t' ? ' ' : base::lower(x)) == lower; };
  const auto* at = std::search(value.begin(), value.end(), prefix.begin(), prefix.end(), same);
  if (at == value.end()) return std::nullopt;
  std::string_view rest = value.substr(static_cast<size_t>(at - value.begin()) + prefix.size());
  while (!rest.empty() && !isOfToken(rest.front())) rest.remove_prefix(1);
  return rest.empty() ? value : rest;
}

std::string_view decoded(std::string_view parameter, base::Arena& arena) {
  return parameter.find('%') == std::string_view::npos ? parameter : arena.copy(base::percentDecoded(parameter));
}

// Calls `visit` with the value of each parameter and cookie of that name.
template <typename Visit>
void visitParameters(const http::RequestHeaders& request, std::string_view name, Visit visit) {
  std::string_view rest = http::queryOf(request.path).value_or("");
  while (!rest.empty()) {
    const http::QueryParameter parameter = http::takeParameter(rest);
    if (base::equalsPercentDecoded(parameter.name, name)) visit(decoded(parameter.value, request.arena()));
  }
}

template <typename Visit>
void visitCookies(const http::RequestHeaders& request, std::string_view name, Visit visit) {
  if (!request.has(http::Name::kCookie)) return;
  for (const http::Field& field : request) {
    if (field.id != http::Name::kCookie) continue;
    for (std::string_view rest = field.value; !rest.empty();) {
      const http::Cookie item = http::takeCookie(rest);
      if (item.mayBe(name)) visit(item.value);
    }
  }
}

void findIn(const http::RequestHeaders& request, const Location& location, TokenTexts& out) {
  const auto add = [&out](std::string_view token) { out.push_back(token); };
  switch (location.kind) {
    case Location::Kind::kParameter:
      return visitParameters(request, location.name, add);
    case Location::Kind::kCookie:
      return visitCookies(request, location.name, add);
    case Location::Kind::kHeader:
      for (const http::Field& field : request) {
        if (!filter::alike(field.name, location.name)) continue;
        if (const auto token = behindPrefix(field.value, location.prefix)) add(*token);
      }
  }
}

}  // namespace

TokenTexts findTokens(const http::RequestHeaders& request, std::span<const Location> locations) {
  TokenTexts out;
  for (const Location& location : locations) findIn(request, location, out);
  return out;
}

std::optional<OnlyToken> findOnlyToken(const http::RequestHeaders& request, const Provider& provider) {
  std::optional<OnlyToken> out;
  const http::Field* without = nullptr;  // has a name of these, and no token for one place at least
  bool several = false;
  const auto note = [&](std::string_view text, const Location& location, const http::Field* field) {
    several |= out.has_value();
    out = {text, &location, field};
  };
  for (const Location& location : provider.locations) {
    switch (location.kind) {
      case Location::Kind::kParameter:
        visitParameters(request, location.name, [&](std::string_view text) { note(text, location, nullptr); });
        break;
      case Location::Kind::kCookie:
        visitCookies(request, location.name, [&](std::string_view text) { note(text, location, nullptr); });
        break;
      case Location::Kind::kHeader:
        for (const http::Field& field : request) {
          if (!filter::alike(field.name, location.name)) continue;
          if (const auto text = behindPrefix(field.value, location.prefix)) {
            note(*text, location, &field);
          } else {
            several |= without != nullptr && without != &field;
            without = &field;
          }
        }
    }
  }
  const bool other_field = without != nullptr && out && without != out->field;
  return several || other_field ? std::nullopt : out;
}

void removeToken(http::RequestHeaders& request, const OnlyToken& token) {
  token.field != nullptr ? request.removeField(*token.field) : removeTokens(request, {token.location, 1});
}

void removeTokens(http::RequestHeaders& request, std::span<const Location> locations) {
  for (const Location& location : locations) {
    if (location.kind == Location::Kind::kParameter) {
      request.path = http::withoutParameter(request.path, location.name, request.arena());
    } else if (location.kind == Location::Kind::kCookie) {
      http::removeCookies(request, location.name);
    } else {
      TokenTexts found;
      findIn(request, location, found);
      if (!found.empty()) filter::removeAlike(request, location.name);
    }
  }
}

}  // namespace sluice::extensions::http_filters::jwt_authn
