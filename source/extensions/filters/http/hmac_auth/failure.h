// Why a request is not let in.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::extensions::http_filters::hmac_auth {

enum class Failure : uint8_t {
  kMissing,      // there is no signature, or none with the tag
  kMalformed,    // it cannot be read, or in two ways
  kComponent,    // it signs what is not supported here
  kAbsent,       // it signs what the request does not have
  kUnsigned,     // it leaves out what has to be signed
  kAlgorithm,    // one that is not taken
  kUndated,      // it does not say when it was made
  kStale,        // too long ago, or in the future
  kExpired,      // it says so
  kUnknownKey,   // nobody's
  kWrong,        // another text or secret was signed
  kDigest,       // the digest of the body cannot be read, or is by none of the known algorithms
  kWrongDigest,  // another body
};

// For %RESPONSE_CODE_DETAILS%.
std::string_view detailsOf(Failure failure);
// What a client with a signature in `authorization` is told, in Kong's words: the same of a key that is not there, of
// one that does not take the algorithm, and of a wrong signature.
std::string_view textOf(Failure failure);

}  // namespace sluice::extensions::http_filters::hmac_auth
