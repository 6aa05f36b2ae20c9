#include "source/session/redirect_target.h"

#include <algorithm>

#include "source/base/ascii.h"
#include "source/http/rules.h"

namespace sluice::session {
namespace {

using http::Name;

// The one value; empty if there is none or are several, of which each could be meant.
std::string_view locationOf(const http::ResponseHeaders& redirect) {
  std::string_view location;
  for (const http::Field& field : redirect) {
    if (field.id != Name::kLocation) continue;
    if (!location.empty()) return {};
    location = field.value;
  }
  return location;
}

// The scheme that the text begins with, as static text; empty: another one, or none.
std::string_view schemeOf(std::string_view text) {
  for (const std::string_view scheme : {std::string_view("https"), std::string_view("http")}) {
    if (text.size() > scheme.size() + 3 && base::equalsLowered(text.substr(0, scheme.size()), scheme) &&
        text.substr(scheme.size(), 3) == "://") {
      return scheme;
    }
  }
  return {};
}

}  // namespace

std::optional<RedirectTarget> redirectTarget(base::Arena& arena, const http::ResponseHeaders& redirect) {
  std::string_view text = locationOf(redirect);
  text = text.substr(0, text.find('#'));
  if (text.empty()) return std::nullopt;
  text = {http::copyPadded(arena, text), text.size()};
  RedirectTarget out{.scheme = schemeOf(text)};
  if (out.scheme.empty() || !http::validTarget(text)) return std::nullopt;
  const std::string_view rest = text.substr(out.scheme.size() + 3);
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, end);
  if (!http::validAuthority(out.authority)) return std::nullopt;
  out.path = rest.substr(end);
  if (!out.path.starts_with('/')) out.path = arena.concat("/", out.path);
  return out;
}

}  // namespace sluice::session
