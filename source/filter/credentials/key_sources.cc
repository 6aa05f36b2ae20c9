#include "source/filter/credentials/key_sources.h"

#include "source/base/percent.h"
#include "source/http/cookie.h"
#include "source/http/query.h"

namespace sluice::filter {
namespace {

using Place = KeySource::Place;

constexpr std::string_view kBearer = "Bearer ";

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
      for (std::string_view rest = field.value; !rest.empty();) {
        const http::Cookie cookie = http::takeCookie(rest);
        if (cookie.mayBe(source.name)) visit(cookie.value);
      }
    } else if (!cookies && field.name == source.name) {
      visit(field.value.starts_with(kBearer) ? field.value.substr(kBearer.size()) : field.value);
    }
  }
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
        headers.path = http::withoutParameter(headers.path, source.name, headers.arena());
        break;
      case Place::kCookie:
        http::removeCookies(headers, source.name);
        break;
    }
  }
}

}  // namespace sluice::filter
