// What a request says was signed, in whichever form.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "source/extensions/filters/http/hmac_auth/body_digest.h"
#include "source/extensions/filters/http/hmac_auth/hash.h"

namespace sluice::extensions::http_filters::hmac_auth {

// Nothing of it counts before the signature is verified.
struct SignedRequest {
  std::string key_id;
  std::string algorithm;             // as it names it; empty: it does not
  std::optional<Hash> hash;          // that this is, if it is an HMAC
  std::string text;                  // that was signed
  std::string signature;             // decoded
  std::optional<BodyDigest> digest;  // that was signed with it: what the body has to be
};

using Seconds = std::chrono::sys_seconds;

}  // namespace sluice::extensions::http_filters::hmac_auth
