// Which names of fields a client may use: what proxies in front say of themselves, and names that others could take for
// another one.
#pragma once

#include <optional>

#include "source/filter/result.h"
#include "source/http/headers.h"
#include "source/session/http_settings.h"

namespace sluice::session {

// A reply refuses the request. (proto: HttpProtocolOptions.headers_with_underscores_action)
std::optional<filter::Reply> applyNamePolicy(const HttpSettings& settings, http::RequestHeaders& headers);

// The same for a request's trailers, which come too late for a refusal: what may not stand there is dropped.
void applyNamePolicy(const HttpSettings& settings, http::Trailers& trailers);

}  // namespace sluice::session
