// Finds the tokens of a request, and takes them out of it. Thread: the worker of the stream.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "source/extensions/filters/http/jwt_authn/settings.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::jwt_authn {

using TokenTexts = absl::InlinedVector<std::string_view, 2>;

// All that stand in one of these places, in their order: each field, parameter and cookie of such a name. Text of the
// request.
TokenTexts findTokens(const http::RequestHeaders& request, std::span<const Location> locations);

// The token of a request that has one alone.
struct OnlyToken {
  std::string_view text;
  const Location* location;
  const http::Field* field;  // of the request, as long as nothing is removed; null: it is in no header
};
// Nullopt: findTokens() finds none in the provider's places, or several, or there is another header of such a name.
std::optional<OnlyToken> findOnlyToken(const http::RequestHeaders& request, const Provider& provider);

// Takes what is in these places and holds a token out of the request: the whole header, the parameter, the cookie.
void removeTokens(http::RequestHeaders& request, std::span<const Location> locations);
// The same where there is no other token.
void removeToken(http::RequestHeaders& request, const OnlyToken& token);

}  // namespace sluice::extensions::http_filters::jwt_authn
