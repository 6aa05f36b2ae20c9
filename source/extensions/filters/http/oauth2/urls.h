// URLs that browsers are sent to, and what callers have to be to be sent anywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::extensions::http_filters::oauth2 {

// The host of an http or https URL: in lower case, without port and brackets. nullopt: it is none that every browser
// reads in the same way.
std::optional<std::string> hostOf(std::string_view url);
// Of an authority.
std::string hostOfAuthority(std::string_view authority);

// Whether `host` is one of the domains: "example.com", or by "*.example.com" one below it.
bool isAmong(std::string_view host, const std::vector<std::string>& domains);
// Whether `host` is `site`, or below it; a dot in front of `site` means nothing.
bool isWithin(std::string_view host, std::string_view site);

// A person's browser that asks for a page: what else asks would not know what to do with one of the provider's.
bool isNavigation(const http::RequestHeaders& headers);

// What the provider sends to redirect_uri. (RFC 6749 section 4.1.2, RFC 9207)
struct Callback {
  std::string code, state, issuer, error, error_description;
};
// nullopt: one of them stands there twice.
std::optional<Callback> readCallback(std::string_view path);

}  // namespace sluice::extensions::http_filters::oauth2
