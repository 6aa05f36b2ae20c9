// A signed token as three parts of base64url: JWS in its compact form with claims inside. (RFC 7515, 7519, 8725)
//
// What cannot be read in one meaning is refused: other encodings of base64url, two members of one name, a claim of the
// wrong type, `crit`, `b64`, encrypted and nested tokens. Nothing of a token counts before verify() has said kNone.
// Thread: any; a token owns its text, so it moves but is not copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "source/jwt/key_set.h"
#include "source/stream/metadata.h"

namespace sluice::jwt {

enum class Failure : uint8_t {
  kNone,
  kMissing,  // no token
  kTooLarge,
  kMalformed,  // not the form above
  kAlgorithm,  // one that is not known here, or not taken
  kIssuer,     // not of the provider
  kSubject,
  kAudience,
  kExpired,
  kNotYetValid,
  kNoExpiration,  // where one is required
  kLifetime,      // longer than allowed
  kCertificate,   // bound to another certificate than the connection has shown
  kUnknownKey,    // no key of that `kid` and algorithm
  kSignature,
  kNoKeys,  // the keys have not come: who asks is not at fault
};
// For logs and answers: short, lower case with underscores ("jwt_expired"); never anything of the token.
std::string_view nameOf(Failure failure);

struct Token {
  Token() = default;
  Token(Token&&) = default;
  Token& operator=(Token&&) = default;

  Algorithm algorithm{};
  std::string kid;  // empty: none
  std::string issuer, subject, id;
  std::vector<std::string> audiences;                 // `aud` as a text or as a list
  std::optional<double> expires, not_before, issued;  // seconds since 1970
  stream::MetadataFields header, claims;              // all of them
  std::string text;                                   // the whole token
  std::string_view signed_text;                       // of `text`
  std::string_view payload;                           // of `text`, base64url
  std::string signature;                              // decoded
};

constexpr size_t kMaxToken = 64 * 1024;  // bytes

// A token, or why not: kTooLarge, kMalformed or kAlgorithm. Costs no signature.
std::variant<Token, Failure> parse(std::string text);

// kNone, kUnknownKey or kSignature. A key is taken by `kid` (where token and key have one) and by its own type and
// `alg` together: never by what the token says alone. Of several that fit, any may have signed it.
// `tries`: how many signatures may still be computed, counted down; kSignature where there are no more. A signature
// costs up to a millisecond, and who asks chooses how many tokens there are, and whether they say a `kid`.
Failure verify(const Token& token, const KeySet& keys, size_t& tries);

constexpr size_t kMaxTries = 64;  // of a request

}  // namespace sluice::jwt
