// How this proxy speaks to a token endpoint: requests, who it says to be, and what comes back. (RFC 6749)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "source/worker/calls.h"

namespace sluice::extensions::http_filters::oauth2 {

enum class AuthType : uint8_t { kBody, kBasic, kTls, kPrivateKey };
enum class SigningAlgorithm : uint8_t { kRs256, kRs384, kRs512, kEs256, kEs384, kEs512 };

struct Client {
  std::string id;
  AuthType auth = AuthType::kBody;
  SigningAlgorithm algorithm = SigningAlgorithm::kRs256;
  std::chrono::seconds assertion_lifetime{60};
  std::string token_uri;             // as the configuration says it
  worker::HttpCallRequest endpoint;  // what it comes to, without a body
};

constexpr size_t kMaxAnswer = 1024 * 1024;
constexpr size_t kMaxToken = 32 * 1024;
constexpr std::chrono::hours kMaxLifetime{24 * 3650};

// What a grant becomes, form-encoded: "grant_type=...&...". nullopt: `secret` is not the private key that signs.
std::optional<worker::HttpCallRequest> tokenRequest(const Client& client, std::string grant, std::string_view secret,
                                                    int64_t now);
std::string codeGrant(std::string_view code, std::string_view verifier, std::string_view redirect_uri);
std::string refreshGrant(std::string_view refresh_token);

struct Tokens {
  std::string access_token, id_token, refresh_token;  // the last two empty: none
  std::optional<std::chrono::seconds> expires_in;
};
struct TokenFailure {
  // For %RESPONSE_CODE_DETAILS%.
  std::string_view details;
  // The endpoint could not say: another call may bring another answer.
  bool transient = false;
};
using TokenAnswer = std::variant<Tokens, TokenFailure>;

TokenAnswer readTokenAnswer(const worker::HttpCallResponse& response);

// "a%20b" as HTML's forms write it: "a+b".
std::string formEncoded(std::string_view text);

}  // namespace sluice::extensions::http_filters::oauth2
