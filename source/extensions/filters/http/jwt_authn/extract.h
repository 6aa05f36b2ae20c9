// Finds the tokens of a request, and takes them out of it. Thread: the worker of the stream.
#pragma once

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

// Takes what is in these places and holds a token out of the request: the whole header, the parameter, the cookie.
void removeTokens(http::RequestHeaders& request, std::span<const Location> locations);

}  // namespace sluice::extensions::http_filters::jwt_authn
