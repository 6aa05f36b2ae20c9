// Access tokens as signed texts. (RFC 9068, RFC 8705 section 3.1)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "source/extensions/filters/http/oauth2_server/grants.h"
#include "source/extensions/filters/http/oauth2_server/signing_key.h"

namespace sluice::extensions::http_filters::oauth2_server {

// Its subject is the client where there is no user.
std::string signedToken(const Tokens& tokens, std::string_view issuer, const SigningKey& key);

// The public keys of `keys` as a key set. (RFC 7517)
std::string keySetOf(const std::vector<KeyRecord>& keys);

}  // namespace sluice::extensions::http_filters::oauth2_server
