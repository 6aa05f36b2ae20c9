// What an ID token says. (OpenID Connect Core 1.0 sections 2, 3.1.3.7, 12.2)
//
// It comes from the token endpoint itself, over the connection of its cluster: that vouches for it, its signature is
// not looked at. What is read from a cookie later on was checked when it was put there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "source/jwt/token.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::oauth2 {

struct Expected {
  std::string_view client_id;
  std::string_view nonce;              // empty: none was sent, or none comes (a renewal)
  std::string_view issuer;             // empty: not known
  double now;                          // seconds since 1970
  const jwt::Token* before = nullptr;  // of the session that is renewed; null: there is none
};

constexpr double kClockSkew = 60;  // seconds

std::optional<jwt::Token> readIdToken(std::string_view text);
// Empty: it is as expected. Else why not, for %RESPONSE_CODE_DETAILS%.
std::string_view checkIdToken(const jwt::Token& token, const Expected& expected);

// For Context::setIdentity(): of method "oauth2".
std::shared_ptr<const stream::MetadataFields> identityOf(jwt::Token token);

}  // namespace sluice::extensions::http_filters::oauth2
