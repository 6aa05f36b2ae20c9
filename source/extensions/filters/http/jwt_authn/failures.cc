#include "source/extensions/filters/http/jwt_authn/failures.h"

#include <algorithm>
#include <array>
#include <string>

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using jwt::Failure;

struct Words {
  int code;
  std::string_view text;
};

constexpr Words wordsOf(Failure failure) {
  constexpr std::string_view kForm = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections";
  constexpr std::string_view kFails = "Jwt verification fails";
  switch (failure) {
    case Failure::kNone:
      return {0, "OK"};
    case Failure::kMissing:
      return {1, "Jwt is missing"};
    case Failure::kTooLarge:
    case Failure::kMalformed:
      return {4, kForm};
    case Failure::kAlgorithm:
      return {8, "Jwt header [alg] is not supported"};
    case Failure::kIssuer:
      return {24, "Jwt issuer is not configured"};
    case Failure::kAudience:
      return {25, "Audiences in Jwt are not allowed"};
    case Failure::kExpired:
      return {3, "Jwt is expired"};
    case Failure::kNotYetValid:
      return {2, "Jwt not yet valid"};
    case Failure::kSubject:
    case Failure::kNoExpiration:
    case Failure::kLifetime:
    case Failure::kSignature:
      return {26, kFails};
    case Failure::kCertificate:
      return {26, "Jwt is bound to another client certificate"};
    case Failure::kUnknownKey:
      return {32, "Jwks doesn't have key to match kid or alg from Jwt"};
    case Failure::kNoKeys:
      return {40, "Jwks remote fetch is failed"};
  }
  return {26, kFails};
}

constexpr size_t kFailures = static_cast<size_t>(Failure::kNoKeys) + 1;

// In one word each, as logs are split at spaces.
std::array<std::string, kFailures> makeDetails() {
  std::array<std::string, kFailures> out;
  for (size_t i = 0; i < kFailures; ++i) {
    out[i] = "jwt_authn_access_denied{" + std::string(wordsOf(static_cast<Failure>(i)).text) + "}";
    std::replace(out[i].begin(), out[i].end(), ' ', '_');
  }
  return out;
}

}  // namespace

std::string_view envoyText(Failure failure) {
  return wordsOf(failure).text;
}

int envoyCode(Failure failure) {
  return wordsOf(failure).code;
}

std::string_view detailsOf(Failure failure) {
  static const std::array<std::string, kFailures> kDetails = makeDetails();
  return kDetails[static_cast<size_t>(failure)];
}

uint16_t statusOf(Failure failure) {
  if (failure == Failure::kNoKeys) return 503;
  return failure == Failure::kAudience ? 403 : 401;
}

}  // namespace sluice::extensions::http_filters::jwt_authn
