#include "source/extensions/filters/http/hmac_auth/failure.h"

#include <array>
#include <cstddef>

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

struct Texts {
  std::string_view details, text;
};

constexpr std::string_view kUnverified = "HMAC signature cannot be verified";
constexpr std::string_view kNoDate =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
constexpr std::string_view kNoMatch = "HMAC signature does not match";

// By Failure.
constexpr std::array<Texts, 13> kTexts = {{
    {"missing_signature", "Unauthorized"},
    {"malformed_signature", kUnverified},
    {"unsupported_signature_component", kUnverified},
    {"absent_signature_component", kUnverified},
    {"unsigned_component", kUnverified},
    {"unsupported_signature_algorithm", kNoMatch},
    {"undated_signature", kNoDate},
    {"stale_signature", kNoDate},
    {"expired_signature", kNoDate},
    {"unknown_signature_key", kNoMatch},
    {"wrong_signature", kNoMatch},
    {"malformed_body_digest", kNoMatch},
    {"wrong_body_digest", kNoMatch},
}};
static_assert(static_cast<size_t>(Failure::kWrongDigest) + 1 == kTexts.size());

}  // namespace

std::string_view detailsOf(Failure failure) {
  return kTexts[static_cast<size_t>(failure)].details;
}

std::string_view textOf(Failure failure) {
  return kTexts[static_cast<size_t>(failure)].text;
}

}  // namespace sluice::extensions::http_filters::hmac_auth
