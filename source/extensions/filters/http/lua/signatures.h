// importPublicKey() and verifySignature() of a stream handle: signatures of public keys, by BoringSSL.
#pragma once

#include <string_view>

struct lua_State;

namespace sluice::extensions::http_filters::lua {

// (handle, DER of a SubjectPublicKeyInfo, length): the DER if it is a key, else nil.
int publicKey(lua_State* state);
// (handle, hash, DER, signature, length, data, length): true; or false, and why.
int verifySignature(lua_State* state);

}  // namespace sluice::extensions::http_filters::lua
