#include "source/extensions/filters/http/jwt_authn/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "source/base/base64_url.h"
#include "source/base/text.h"
#include "source/filter/identity.h"
#include "source/http/rules.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

using jwt::Failure;

double secondsOf(std::chrono::seconds time) {
  return static_cast<double>(time.count());
}

bool takesAudience(const Audiences& allowed, ReadToken& token) {
  if (allowed.empty() || token.fits == &allowed) return true;
  const bool fits = std::any_of(token.audiences.begin(), token.audiences.end(), [&](const std::string& one) {
    return std::find(allowed.begin(), allowed.end(), one) != allowed.end();
  });
  if (fits) token.fits = &allowed;
  return fits;
}

// What needs no key.
Failure checkClaims(const Provider& provider, const jwt::Token& token, double now) {
  const double skew = secondsOf(provider.clock_skew);
  if (!provider.issuer.empty() && token.issuer != provider.issuer) return Failure::kIssuer;
  if (token.not_before && *token.not_before > now + skew) return Failure::kNotYetValid;
  if (token.expires && now > *token.expires + skew) return Failure::kExpired;
  if (provider.max_lifetime && (!token.expires || *token.expires - now > secondsOf(*provider.max_lifetime) + skew)) {
    return Failure::kLifetime;
  }
  if (provider.require_expiration && !token.expires) return Failure::kNoExpiration;
  if (provider.subjects && !provider.subjects->matches(token.subject)) return Failure::kSubject;
  return Failure::kNone;
}

const stream::MetadataValue* claimAt(const stream::MetadataFields& claims, const std::vector<std::string>& path) {
  const stream::MetadataFields* in = &claims;
  const stream::MetadataValue* found = nullptr;
  for (const std::string& step : path) {
    if (in == nullptr) return nullptr;
    const auto at = std::find_if(in->begin(), in->end(), [&](const auto& field) { return field.name == step; });
    if (at == in->end()) return nullptr;
    found = &at->value;
    in = std::get_if<stream::MetadataFields>(&found->value);
  }
  return found;
}

std::string numberText(double number) {
  if (number >= 0 && number < 18446744073709551616.0 && std::trunc(number) == number) {
    return std::to_string(static_cast<uint64_t>(number));
  }
  return std::to_string(number);
}

// Empty: it has none.
std::string headerText(const stream::MetadataValue& claim) {
  struct Writer {
    std::string operator()(std::monostate) const { return {}; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(double value) const { return numberText(value); }
    std::string operator()(const std::string& value) const { return value; }
    std::string operator()(const stream::MetadataList& list) const { return encoded({list}); }
    std::string operator()(const stream::MetadataFields& fields) const { return encoded({fields}); }
    static std::string encoded(const stream::MetadataValue& value) {
      std::string json;
      stream::appendJson(value, json);
      return absl::Base64Escape(json);
    }
  };
  return std::visit(Writer{}, claim.value);
}

void addHeaders(const Provider& provider, const jwt::Token& token, ReadToken& out) {
  if (!provider.payload_header.empty()) {
    std::string payload(token.payload);
    while (provider.pad_payload && payload.size() % 4 != 0) payload += '=';
    out.headers.emplace_back(provider.payload_header, std::move(payload));
  }
  for (const ClaimHeader& header : provider.claim_headers) {
    const stream::MetadataValue* claim = claimAt(token.claims, header.path);
    std::string text = claim == nullptr ? std::string() : headerText(*claim);
    // One that no header can hold is as one that is not there.
    if (!text.empty() && http::validValue(text) && http::withoutSpaces(text).size() == text.size()) {
      out.headers.emplace_back(header.name, std::move(text));
    }
  }
}

stream::MetadataFields payloadFields(const Provider& provider, stream::MetadataFields claims) {
  for (stream::MetadataField& claim : claims) {
    const auto& names = provider.claims_of_words;
    const auto* const text = std::get_if<std::string>(&claim.value.value);
    if (text == nullptr || std::find(names.begin(), names.end(), claim.name) == names.end()) continue;
    stream::MetadataList words;
    for (const auto word : absl::StrSplit(*text, ' ', absl::SkipEmpty())) words.push_back({std::string(word)});
    claim.value = {std::move(words)};
  }
  return claims;
}

// A claim that is a list of texts.
std::vector<std::string> groupsOf(const stream::MetadataFields& claims) {
  std::vector<std::string> out;
  const stream::MetadataValue* claim = claimAt(claims, {"groups"});
  const auto* const list = claim == nullptr ? nullptr : std::get_if<stream::MetadataList>(&claim->value);
  if (list == nullptr) return out;
  for (const stream::MetadataValue& item : *list) {
    const auto* const text = std::get_if<std::string>(&item.value);
    if (text == nullptr) return {};
    out.push_back(*text);
  }
  return out;
}

CertificateBinding bindingOf(const stream::MetadataFields& claims) {
  const stream::MetadataValue* const claim = claimAt(claims, {"cnf", "x5t#S256"});
  if (claim == nullptr) return {};
  CertificateBinding out{.bound = true};
  const auto* const text = std::get_if<std::string>(&claim->value);
  if (text == nullptr) return out;
  if (const auto bytes = base::fromBase64Url(*text)) out.certificate = filter::digestFrom(*bytes);
  return out;
}

// Whoever shows a certificate has its key, whether or not an authority knows it: so a hash is enough. (RFC 8705 section
// 2.2)
bool holds(const CertificateBinding& binding, const stream::StreamInfo& info) {
  if (!binding.bound) return true;
  const net::TlsInfo* const tls = info.downstreamTls();
  if (!binding.certificate || tls == nullptr || !tls->peer_presented) return false;
  const auto shown = filter::digestFrom(absl::HexStringToBytes(tls->peer.sha256));
  return shown && filter::sameDigest(*shown, *binding.certificate);
}

}  // namespace

std::string simplifiedAudience(std::string_view audience) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (audience.starts_with(scheme)) {
      audience.remove_prefix(scheme.size());
      break;
    }
  }
  if (audience.ends_with('/')) audience.remove_suffix(1);
  return std::string(audience);
}

ReadTokenPtr readToken(const Provider& provider, jwt::Token token) {
  auto out = base::makeLocal<ReadToken>();
  out->good_until =
      token.expires ? *token.expires + secondsOf(provider.clock_skew) : std::numeric_limits<double>::infinity();
  for (const std::string& audience : token.audiences) out->audiences.push_back(simplifiedAudience(audience));
  out->binding = bindingOf(token.claims);
  addHeaders(provider, token, *out);
  stream::MetadataFields metadata;
  if (!provider.header_key.empty()) metadata.push_back({provider.header_key, {token.header}});
  if (!provider.payload_key.empty()) {
    metadata.push_back({provider.payload_key, {payloadFields(provider, token.claims)}});
  }
  if (!metadata.empty()) out->metadata = std::make_shared<const stream::MetadataFields>(std::move(metadata));
  std::vector<std::string> groups = groupsOf(token.claims);
  out->identity = filter::identityFields({.method = "jwt",
                                          .subject = std::move(token.subject),
                                          .groups = std::move(groups),
                                          .claims = std::move(token.claims)});
  out->text = std::move(token.text);
  return out;
}

ReadToken* Verifier::findCached(const Provider& provider, std::string_view text) const {
  return caches_.of[provider.index]->find(text, provider.keys.keys(worker_).get(), now_);
}

Failure Verifier::checkRequest(const Provider& provider, ReadToken& token, const Audiences& audiences) const {
  if (!takesAudience(audiences.empty() ? provider.audiences : audiences, token)) return Failure::kAudience;
  return holds(token.binding, info_) ? Failure::kNone : Failure::kCertificate;
}

const ReadToken* Verifier::findKnown(const Provider& provider, std::string_view text, const Audiences& audiences) {
  ReadToken* const known = findCached(provider, text);
  if (known == nullptr || checkRequest(provider, *known, audiences) != Failure::kNone) return nullptr;
  worker_.cells.add(settings_.stats.jwt_cache_hit);
  return known;
}

Verdict Verifier::verify(const Provider& provider, std::string_view text, const Audiences& audiences) {
  ReadTokenPtr known(findCached(provider, text));
  worker_.cells.add(known ? settings_.stats.jwt_cache_hit : settings_.stats.jwt_cache_miss);
  Verdict out = known ? Verdict{Failure::kNone, std::move(known)} : verifyNew(provider, text);
  if (!out.token) return out;
  const Failure failure = checkRequest(provider, *out.token, audiences);
  if (failure != Failure::kNone) return {failure, {}};
  return out;
}

Verdict Verifier::verifyNew(const Provider& provider, std::string_view text) {
  if (text.size() > jwt::kMaxToken) return {Failure::kTooLarge, {}};
  std::variant<jwt::Token, Failure> parsed = jwt::parse(std::string(text));
  if (const auto* failure = std::get_if<Failure>(&parsed)) return {*failure, {}};
  jwt::Token& token = std::get<jwt::Token>(parsed);
  if (const Failure failure = checkClaims(provider, token, now_); failure != Failure::kNone) return {failure, {}};
  const KeySetPtr keys = provider.keys.keys(worker_);
  if (keys == nullptr) return {Failure::kNoKeys, {}};
  if (const Failure failure = jwt::verify(token, *keys, tries_); failure != Failure::kNone) return {failure, {}};
  ReadTokenPtr good = readToken(provider, std::move(token));
  good->keys = keys;
  if (text.size() <= provider.cache_max_token) caches_.of[provider.index]->add(good);
  return {Failure::kNone, std::move(good)};
}

}  // namespace sluice::extensions::http_filters::jwt_authn
