// Signatures in `authorization`, as drafts of HTTP signatures had them and Kong's plugin hmac-auth takes them:
//
//   hmac username="ali", algorithm="hmac-sha256", headers="date request-line", signature="BASE64"
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "source/extensions/filters/http/hmac_auth/failure.h"
#include "source/extensions/filters/http/hmac_auth/hash.h"
#include "source/extensions/filters/http/hmac_auth/signed_request.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::hmac_auth {

// Where it may stand. The first that has one counts.
inline constexpr std::array<std::string_view, 2> kAuthorizationFields = {"proxy-authorization", "authorization"};

struct AuthorizationRules {
  std::vector<Hash> hashes;
  std::vector<std::string> required;  // lines that have to be signed; empty: what the request asks for
  std::chrono::seconds clock_skew{300};
  bool digest_required = false;  // of requests with a body
};

// What follows the scheme "hmac"; nullopt: it is another one.
std::optional<std::string_view> hmacParameters(std::string_view value);

// kMissing: no field has that scheme. Costs no hash.
std::variant<SignedRequest, Failure> readAuthorizationSignature(const http::RequestHeaders& headers, bool has_body,
                                                                const AuthorizationRules& rules, Seconds now);

}  // namespace sluice::extensions::http_filters::hmac_auth
