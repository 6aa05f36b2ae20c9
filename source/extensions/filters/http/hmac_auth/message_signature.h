// HTTP Message Signatures: what `signature-input` and `signature` say. (RFC 9421)
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "source/extensions/filters/http/hmac_auth/failure.h"
#include "source/extensions/filters/http/hmac_auth/signed_request.h"
#include "source/http/headers.h"

namespace sluice::extensions::http_filters::hmac_auth {

inline constexpr std::string_view kSignatureInput = "signature-input";
inline constexpr std::string_view kSignature = "signature";

struct MessageRules {
  // Names of components that have to be signed; "content-digest" of requests with a body only.
  std::vector<std::string> required;
  std::chrono::seconds max_age{300};
  std::chrono::seconds clock_skew{5};
  std::string tag;  // of those that count; empty: any
};

// The first signature whose key `knows_key` says is there, or the first of all. kMissing: there is none. Costs no hash.
std::variant<SignedRequest, Failure> readMessageSignature(const http::RequestHeaders& headers, bool has_body,
                                                          const MessageRules& rules, Seconds now,
                                                          absl::FunctionRef<bool(std::string_view)> knows_key);

}  // namespace sluice::extensions::http_filters::hmac_auth
