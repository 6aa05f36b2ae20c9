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
  const auto same = [](char x, char lower) { return (x == '\t' ? ' ' : base::lower(x)) == lower; };
  const auto* at = std::search(value.begin(), value.end(), prefix.begin(), prefix.end(), same);
  if (at == value.end()) return std::nullopt;
  std::string_view rest = value.substr(static_cast<size_t>(at - value.begin()) + prefix.size());
  while (!rest.empty() && !isOfToken(rest.front())) rest.remove_prefix(1);
  return rest.empty() ? value : rest;
}

std::string_view decoded(std::string_view parameter, base::Arena& arena) {
  return parameter.find('%') == std::string_view::npos ? parameter : arena.copy(base::percentDecoded(parameter));
}

void findIn(const http::RequestHeaders& request, const Location& location, TokenTexts& out) {
  if (location.kind == Location::Kind::kParameter) {
    std::string_view rest = http::queryOf(request.path).value_or("");
    while (!rest.empty()) {
      const http::QueryParameter parameter = http::takeParameter(rest);
      if (base::equalsPercentDecoded(parameter.name, location.name)) {
        out.push_back(decoded(parameter.value, request.arena()));
      }
    }
    return;
  }
  const bool cookie = location.kind == Location::Kind::kCookie;
  for (const http::Field& field : request) {
    if (cookie) {
      if (field.id != http::Name::kCookie) continue;
      for (std::string_view rest = field.value; !rest.empty();) {
        const http::Cookie item = http::takeCookie(rest);
        if (item.mayBe(location.name)) out.push_back(item.value);
      }
    } else if (filter::alike(field.name, location.name)) {
      if (const auto token = behindPrefix(field.value, location.prefix)) out.push_back(*token);
    }
  }
}

}  // namespace

TokenTexts findTokens(const http::RequestHeaders& request, std::span<const Location> locations) {
  TokenTexts out;
  for (const Location& location : locations) findIn(request, location, out);
  return out;
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
