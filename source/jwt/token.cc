#include "source/jwt/token.h"

#include <algorithm>
#include <utility>

#include "source/base/ascii.h"
#include "source/base/base64_url.h"
#include "source/stream/strict_json.h"

namespace sluice::jwt {
namespace {

using stream::MetadataFields;

std::optional<MetadataFields> readPart(std::string_view part) {
  const std::optional<std::string> json = base::fromBase64Url(part);
  return json ? stream::readStrictJson(*json) : std::nullopt;
}

const stream::MetadataValue* find(const MetadataFields& fields, std::string_view name) {
  return stream::findMetadata(fields, name, {});
}

// Takes a member that is of that type or not there; false: it is something else.
template <typename T, typename Out>
bool take(const MetadataFields& fields, std::string_view name, Out& out) {
  const stream::MetadataValue* const value = find(fields, name);
  if (value == nullptr) return true;
  const auto* const typed = std::get_if<T>(&value->value);
  if (typed != nullptr) out = *typed;
  return typed != nullptr;
}

bool takeAudiences(const MetadataFields& claims, std::vector<std::string>& out) {
  const stream::MetadataValue* const value = find(claims, "aud");
  if (value == nullptr) return true;
  if (const auto* const one = std::get_if<std::string>(&value->value)) {
    out.push_back(*one);
    return true;
  }
  const auto* const list = std::get_if<stream::MetadataList>(&value->value);
  if (list == nullptr) return false;
  for (const stream::MetadataValue& each : *list) {
    const auto* const text = std::get_if<std::string>(&each.value);
    if (text == nullptr) return false;
    out.push_back(*text);
  }
  return true;
}

// What would change how the rest is read, or is of encrypted tokens.
bool isPlain(const MetadataFields& header) {
  for (const std::string_view name : {"crit", "b64", "enc", "zip"}) {
    if (find(header, name) != nullptr) return false;
  }
  std::string content;
  if (!take<std::string>(header, "cty", content)) return false;
  return !base::equalsIgnoringCase(content, "jwt") && !base::equalsIgnoringCase(content, "application/jwt");
}

Failure readHeader(std::string_view part, Token& token) {
  std::optional<MetadataFields> header = readPart(part);
  std::string algorithm, type;
  if (!header || find(*header, "alg") == nullptr || !take<std::string>(*header, "alg", algorithm)) {
    return Failure::kMalformed;
  }
  const std::optional<Algorithm> known = algorithmNamed(algorithm);
  if (!known) return Failure::kAlgorithm;
  token.algorithm = *known;
  const bool fine =
      isPlain(*header) && take<std::string>(*header, "typ", type) && take<std::string>(*header, "kid", token.kid);
  token.header = *std::move(header);
  return fine ? Failure::kNone : Failure::kMalformed;
}

bool readClaims(std::string_view part, Token& token) {
  std::optional<MetadataFields> claims = readPart(part);
  if (!claims) return false;
  token.claims = *std::move(claims);
  return take<std::string>(token.claims, "iss", token.issuer) &&
         take<std::string>(token.claims, "sub", token.subject) && take<std::string>(token.claims, "jti", token.id) &&
         takeAudiences(token.claims, token.audiences) && take<double>(token.claims, "exp", token.expires) &&
         take<double>(token.claims, "nbf", token.not_before) && take<double>(token.claims, "iat", token.issued);
}

bool fits(const KeySet::Entry& entry, const Token& token) {
  const bool other_id = !entry.id.empty() && !token.kid.empty() && entry.id != token.kid;
  return !other_id && entry.algorithm.value_or(token.algorithm) == token.algorithm && entry.key->takes(token.algorithm);
}

}  // namespace

std::string_view nameOf(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "jwt_ok";
    case Failure::kMissing:
      return "jwt_missing";
    case Failure::kTooLarge:
      return "jwt_too_large";
    case Failure::kMalformed:
      return "jwt_malformed";
    case Failure::kAlgorithm:
      return "jwt_algorithm";
    case Failure::kIssuer:
      return "jwt_issuer";
    case Failure::kSubject:
      return "jwt_subject";
    case Failure::kAudience:
      return "jwt_audience";
    case Failure::kExpired:
      return "jwt_expired";
    case Failure::kNotYetValid:
      return "jwt_not_yet_valid";
    case Failure::kNoExpiration:
      return "jwt_no_expiration";
    case Failure::kLifetime:
      return "jwt_lifetime";
    case Failure::kCertificate:
      return "jwt_certificate";
    case Failure::kUnknownKey:
      return "jwt_unknown_key";
    case Failure::kSignature:
      return "jwt_signature";
    case Failure::kNoKeys:
      return "jwt_no_keys";
  }
  return "jwt_malformed";
}

std::variant<Token, Failure> parse(std::string text) {
  if (text.size() > kMaxToken) return Failure::kTooLarge;
  if (std::count(text.begin(), text.end(), '.') != 2) return Failure::kMalformed;
  Token token;
  token.text = std::move(text);
  const std::string_view all = token.text;
  const size_t first = all.find('.'), last = all.rfind('.');
  const Failure failure = readHeader(all.substr(0, first), token);
  if (failure != Failure::kNone) return failure;
  token.signed_text = all.substr(0, last);
  token.payload = token.signed_text.substr(first + 1);
  std::optional<std::string> signature = base::fromBase64Url(all.substr(last + 1));
  if (!signature || signature->empty() || !readClaims(token.payload, token)) return Failure::kMalformed;
  token.signature = *std::move(signature);
  return token;
}

Failure verify(const Token& token, const KeySet& keys, size_t& tries) {
  Failure failure = Failure::kUnknownKey;
  for (const KeySet::Entry& entry : keys.keys()) {
    if (!fits(entry, token)) continue;
    if (tries == 0) return Failure::kSignature;
    --tries;
    if (entry.key->verifies(token.algorithm, token.signed_text, token.signature)) return Failure::kNone;
    failure = Failure::kSignature;
  }
  return failure;
}

}  // namespace sluice::jwt
