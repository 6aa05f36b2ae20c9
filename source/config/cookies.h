#pragma once

// Cookies that clients are to be given. Thread: main. Run after validate().

#include <string_view>

#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/http/v3/cookie.pb.h"

#include "source/config/errors.h"
#include "source/http/cookie.h"

namespace sluice::config {

// These report to `context`, which stands at the text.
void checkCookieName(std::string_view name, const Context& context);
// What becomes a part of a set-cookie header: it ends nothing there.
void checkCookieText(std::string_view text, const Context& context);

// A ttl below a second, or none, is the client's session.
http::CookieSettings compileCookie(const envoy::type::http::v3::Cookie& proto, const Context& context);
http::CookieSettings compileCookie(const envoy::config::route::v3::RouteAction::HashPolicy::Cookie& proto,
                                   const Context& context);

}  // namespace sluice::config
