#include "source/tls/validator.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/tls/failure.h"
#include "source/tls/spiffe.h"

namespace sluice::tls {
namespace {

constexpr size_t kSha256 = 32;

absl::Status addCrls(X509_STORE& store, const std::string& pem) {
  ERR_clear_error();
  const SslOwned<bio_st> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  size_t count = 0;
  while (X509_CRL* crl = PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)) {
    X509_STORE_add_crl(&store, crl);
    X509_CRL_free(crl);
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = errorQueueText();
  if (count > 0 && at_end) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::strCat("crl: certificate revocation list ", count + 1, " of the PEM text cannot be read: ", reason));
}

absl::StatusOr<std::vector<std::string>> parseHexHashes(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    std::string hex;
    std::copy_if(text.begin(), text.end(), std::back_inserter(hex), [](char c) { return c != ':'; });
    if (hex.size() != 2 * kSha256 ||
        !std::all_of(hex.begin(), hex.end(), [](char c) { return absl::ascii_isxdigit(c); })) {
      return absl::InvalidArgumentError(base::strCat("verify_certificate_hash: '", text,
                                                     "' is no SHA-256 in hexadecimal (64 digits, colons allowed)"));
    }
    out.push_back(absl::HexStringToBytes(hex));
  }
  return out;
}

absl::StatusOr<std::vector<std::string>> parseBase64Hashes(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    std::string raw;
    if (!absl::Base64Unescape(text, &raw) || raw.size() != kSha256) {
      return absl::InvalidArgumentError(
          base::strCat("verify_certificate_spki: '", text, "' is no SHA-256 in base64 (44 characters)"));
    }
    out.push_back(std::move(raw));
  }
  return out;
}

int acceptExpired(int ok, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  if (!ok && (error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID)) {
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
  }
  return ok;
}

// Everything that decides, each part with its length in front so that no two configurations read alike.
std::string digestOf(const ValidationConfig& config) {
  std::string all;
  const auto add = [&all](std::string_view part) { base::strAppend(all, part.size(), ":", part, ";"); };
  add(config.trusted_ca_pem);
  for (const ValidationConfig::TrustDomain& domain : config.trust_domains) {
    add(domain.name);
    add(domain.bundle_pem);
  }
  add("crl");
  add(config.crl_pem);
  for (const std::string& hash : config.certificate_hashes) add(hash);
  add("spki");
  for (const std::string& hash : config.spki_hashes) add(hash);
  add("names");
  for (const SanMatcher& matcher : config.san_matchers) {
    add(std::string(1, static_cast<char>('0' + static_cast<int>(matcher.type))));
    add(matcher.oid);
    add(matcher.exact);
    add(matcher.description);
  }
  add(config.only_verify_leaf_cert_crl ? "leaf" : "all");
  add(config.allow_expired_certificate ? "expired" : "");
  add(config.accept_untrusted ? "untrusted" : "");
  add(config.max_verify_depth ? std::to_string(*config.max_verify_depth) : "");
  return sha256(all);
}

uint8_t alertFor(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return SSL_AD_CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_REVOKED:
      return SSL_AD_CERTIFICATE_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return SSL_AD_UNKNOWN_CA;
    case X509_V_ERR_INVALID_PURPOSE:
      return SSL_AD_UNSUPPORTED_CERTIFICATE;
    default:
      return SSL_AD_BAD_CERTIFICATE;
  }
}

bool matches(const SanMatcher& matcher, const SubjectNames& names) {
  const auto any = [&matcher](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& name) {
      if (matcher.type == SanMatcher::Type::kDns && !matcher.exact.empty()) return dnsNameMatches(name, matcher.exact);
      return matcher.matches ? matcher.matches(name) : name == matcher.exact;
    });
  };
  switch (matcher.type) {
    case SanMatcher::Type::kEmail:
      return any(names.email);
    case SanMatcher::Type::kDns:
      return any(names.dns);
    case SanMatcher::Type::kUri:
      return any(names.uri);
    case SanMatcher::Type::kIp:
      return any(names.ip);
    case SanMatcher::Type::kOther:
      for (size_t i = 0; i < names.other.size(); ++i) {
        if (names.other_oids[i] == matcher.oid && any({names.other[i]})) return true;
      }
      return false;
  }
  return false;
}

std::string listOf(const SubjectNames& names) {
  std::string out;
  const auto add = [&out](std::string_view type, const std::vector<std::string>& list) {
    for (const std::string& name : list) base::strAppend(out, out.empty() ? "" : ", ", type, ":", name);
  };
  add("DNS", names.dns);
  add("URI", names.uri);
  add("IP", names.ip);
  add("EMAIL", names.email);
  add("OTHER", names.other);
  return out.empty() ? "none" : out;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Validator>> Validator::create(const ValidationConfig& config, Peer peer) {
  std::unique_ptr<Validator> out(new Validator());
  out->config_ = config;
  out->peer_ = peer;
  out->digest_ = digestOf(config);
  absl::StatusOr<std::vector<std::string>> hashes = parseHexHashes(config.certificate_hashes);
  if (!hashes.ok()) return hashes.status();
  out->certificate_hashes_ = *std::move(hashes);
  hashes = parseBase64Hashes(config.spki_hashes);
  if (!hashes.ok()) return hashes.status();
  out->spki_hashes_ = *std::move(hashes);
  if (!config.trust_domains.empty()) {
    for (const ValidationConfig::TrustDomain& domain : config.trust_domains) {
      if (absl::Status status = out->addTrustDomain(domain); !status.ok()) return status;
    }
    return std::unique_ptr<const Validator>(std::move(out));
  }
  if (config.trusted_ca_pem.empty()) {
    if (!config.san_matchers.empty() && !config.accept_untrusted) {
      return absl::InvalidArgumentError(
          "match_typed_subject_alt_names without trusted_ca: anybody can make a certificate of any name; give the "
          "authority that signs the peer's");
    }
    if (!config.crl_pem.empty()) {
      return absl::InvalidArgumentError("crl without trusted_ca: give the authority that signed the list");
    }
    return std::unique_ptr<const Validator>(std::move(out));
  }
  absl::StatusOr<std::vector<SslOwned<x509_st>>> authorities = parsePemCertificates(config.trusted_ca_pem);
  if (!authorities.ok()) {
    return absl::InvalidArgumentError(
        base::strCat("trusted_ca '", config.trusted_ca_name, "': ", base::toStd(authorities.status().message())));
  }
  out->store_ = out->storeOf(*std::move(authorities), config.trusted_ca_name);
  if (!config.crl_pem.empty()) {
    if (absl::Status status = addCrls(*out->store_, config.crl_pem); !status.ok()) return status;
    X509_STORE_set_flags(out->store_.get(),
                         X509_V_FLAG_CRL_CHECK | (config.only_verify_leaf_cert_crl ? 0 : X509_V_FLAG_CRL_CHECK_ALL));
  }
  return std::unique_ptr<const Validator>(std::move(out));
}

SslOwned<x509_store_st> Validator::storeOf(std::vector<SslOwned<x509_st>> authorities, const std::string& name) {
  SslOwned<x509_store_st> store(X509_STORE_new());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  for (SslOwned<x509_st>& authority : authorities) {
    X509_STORE_add_cert(store.get(), authority.get());
    authorities_.push_back(std::move(authority));
    authority_names_.push_back(name);
  }
  return store;
}

absl::Status Validator::addTrustDomain(const ValidationConfig::TrustDomain& domain) {
  absl::StatusOr<std::vector<SslOwned<x509_st>>> authorities = parsePemCertificates(domain.bundle_pem);
  const auto problem = [&domain](auto... what) {
    return absl::InvalidArgumentError(
        base::strCat("trust_bundle '", domain.bundle_name, "' of '", domain.name, "': ", what...));
  };
  if (!authorities.ok()) return problem(base::toStd(authorities.status().message()));
  for (size_t i = 0; i < authorities->size(); ++i) {
    if (X509_check_ca((*authorities)[i].get()) == 0) {
      return problem("certificate ", i + 1, " is of no authority, so that it vouches for nobody; remove it");
    }
  }
  domains_[domain.name] = storeOf(*std::move(authorities), domain.bundle_name);
  return absl::OkStatus();
}

Validator::Verdict Validator::check(const std::vector<std::string_view>& chain_der,
                                    std::string_view expected_name) const {
  std::vector<SslOwned<x509_st>> chain;
  for (const std::string_view der : chain_der) {
    chain.push_back(parseDerCertificate(der));
    if (!chain.back()) return {Outcome::kChain, false, SSL_AD_BAD_CERTIFICATE, "a certificate cannot be read"};
  }
  if (chain.empty()) return {Outcome::kChain, false, SSL_AD_BAD_CERTIFICATE, "there is no certificate"};
  Verdict verdict = checkTrust(chain);
  const bool trusted = verdict.validated;
  const std::optional<Place> issuer = verdict.issuer;
  if (verdict.outcome == Outcome::kAccepted) verdict = checkHashes(*chain.front(), chain_der.front());
  const bool hashed = verdict.validated;
  if (verdict.outcome == Outcome::kAccepted) verdict = checkNames(namesOf(*chain.front()), expected_name);
  if (verdict.outcome == Outcome::kAccepted) {
    verdict.validated = trusted || hashed;
    verdict.issuer = issuer;
  } else if (config_.accept_untrusted) {
    return {};
  }
  return verdict;
}

// The verified chain is of the very objects that it was made of.
std::optional<Validator::Place> Validator::placeOf(const x509_st* certificate,
                                                   const std::vector<SslOwned<x509_st>>& chain) const {
  for (const bool of_authorities : {false, true}) {
    const auto& list = of_authorities ? authorities_ : chain;
    const auto at = std::find_if(list.begin(), list.end(), [&](const auto& each) { return each.get() == certificate; });
    if (at != list.end()) return Place{of_authorities, static_cast<size_t>(at - list.begin())};
  }
  return std::nullopt;
}

Validator::Verdict Validator::checkTrust(const std::vector<SslOwned<x509_st>>& chain) const {
  if (domains_.empty()) return store_ ? checkPath(chain, *store_) : Verdict();
  const auto refused = [&chain](uint8_t alert, auto... what) {
    return Verdict{Outcome::kChain, false, alert,
                   base::strCat(what..., " (subject '", subjectOf(*chain.front()), "')")};
  };
  const absl::StatusOr<std::string> domain = workloadDomainOf(*chain.front());
  if (!domain.ok()) {
    return refused(SSL_AD_BAD_CERTIFICATE, "the certificate is no X509-SVID: ", base::toStd(domain.status().message()));
  }
  const auto store = domains_.find(*domain);
  if (store != domains_.end()) return checkPath(chain, *store->second);
  return refused(SSL_AD_UNKNOWN_CA, "there is no trust bundle for '", *domain, "'");
}

Validator::Verdict Validator::checkPath(const std::vector<SslOwned<x509_st>>& chain, x509_store_st& store) const {
  ERR_clear_error();
  STACK_OF(X509)* others = sk_X509_new_null();
  for (size_t i = 1; i < chain.size(); ++i) sk_X509_push(others, chain[i].get());
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  bool ok = X509_STORE_CTX_init(context, &store, chain.front().get(), others) == 1;
  // The purpose: extended key usage must allow what the peer is.
  ok = ok && X509_STORE_CTX_set_default(context, peer_ == Peer::kClient ? "ssl_client" : "ssl_server") == 1;
  if (config_.max_verify_depth) X509_STORE_CTX_set_depth(context, static_cast<int>(*config_.max_verify_depth));
  if (config_.allow_expired_certificate) X509_STORE_CTX_set_verify_cb(context, acceptExpired);
  Verdict verdict;
  if (ok && X509_verify_cert(context) == 1) {
    verdict.validated = true;
    const STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(context);
    if (sk_X509_num(verified) > 1) verdict.issuer = placeOf(sk_X509_value(verified, 1), chain);
  } else {
    const int error = X509_STORE_CTX_get_error(context);
    verdict = {Outcome::kChain, false, alertFor(error),
               base::strCat(X509_verify_cert_error_string(error), " (at depth ",
                            X509_STORE_CTX_get_error_depth(context), "; subject '", subjectOf(*chain.front()), "')")};
  }
  X509_STORE_CTX_free(context);
  sk_X509_free(others);
  ERR_clear_error();
  return verdict;
}

Validator::Verdict Validator::checkHashes(const x509_st& leaf, std::string_view leaf_der) const {
  if (certificate_hashes_.empty() && spki_hashes_.empty()) return {};
  const auto has = [](const std::vector<std::string>& list, const std::string& hash) {
    return std::find(list.begin(), list.end(), hash) != list.end();
  };
  Verdict verdict;
  verdict.validated = has(certificate_hashes_, sha256(leaf_der)) || has(spki_hashes_, spkiSha256Of(leaf));
  if (!verdict.validated) {
    verdict = {
        Outcome::kHash, false, SSL_AD_CERTIFICATE_UNKNOWN,
        base::strCat("none of the configured hashes is the certificate's (SHA-256 ", hexOf(sha256(leaf_der)), ")")};
  }
  return verdict;
}

Validator::Verdict Validator::checkNames(const SubjectNames& names, std::string_view expected_name) const {
  const Verdict refused = {Outcome::kSan, false, SSL_AD_CERTIFICATE_UNKNOWN, ""};
  if (!expected_name.empty()) {
    const std::string ip = canonicalIp(expected_name);
    const bool found = ip.empty()
                           ? std::any_of(names.dns.begin(), names.dns.end(),
                                         [&](const std::string& name) { return dnsNameMatches(name, expected_name); })
                           : std::find(names.ip.begin(), names.ip.end(), ip) != names.ip.end();
    if (!found) {
      Verdict verdict = refused;
      verdict.reason = base::strCat("the certificate is not for '", expected_name, "'; its names are ", listOf(names));
      return verdict;
    }
  }
  if (config_.san_matchers.empty()) return {};
  for (const SanMatcher& matcher : config_.san_matchers) {
    if (matches(matcher, names)) return {};
  }
  Verdict verdict = refused;
  verdict.reason = base::strCat("no subject alternative name matches; the certificate's are ", listOf(names));
  return verdict;
}

}  // namespace sluice::tls
