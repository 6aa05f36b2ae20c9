// One public or shared key of a JSON Web Key. (RFC 7517, 7518 section 6, RFC 8037)
#pragma once

#include <memory>
#include <string_view>

#include "source/jwt/key_set.h"
#include "source/stream/metadata.h"

namespace sluice::jwt {

// The key that `kty` and the members of that type make. Null: not a key that may be used here, `why` says the reason.
std::unique_ptr<const Key> makeKey(const stream::MetadataFields& jwk, std::string_view& why);

}  // namespace sluice::jwt
