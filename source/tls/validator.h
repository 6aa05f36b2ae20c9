// Decides whether a peer's certificate chain is accepted: authority, dates and CRL, then hashes, then names.
// With SPIFFE the authority is that of the trust domain which the certificate names.
// (CertificateValidationContext.) Immutable, used by all workers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/tls/certificate.h"
#include "source/tls/config.h"
#include "source/tls/ssl_types.h"

namespace sluice::tls {

class Validator {
 public:
  enum class Peer : uint8_t { kClient, kServer };
  // Fails if something of the configuration cannot be read, or would accept what it seems to refuse.
  static absl::StatusOr<std::unique_ptr<const Validator>> create(const ValidationConfig& config, Peer peer);

  enum class Outcome : uint8_t { kAccepted, kChain, kHash, kSan };
  // A certificate: one of those that came, or of authorities().
  struct Place {
    bool of_authorities = false;
    size_t index = 0;
  };
  struct Verdict {
    Outcome outcome = Outcome::kAccepted;
    bool validated = false;  // something was checked and held
    uint8_t alert = 0;       // what to tell the peer when it is refused
    std::string reason;
    std::optional<Place> issuer;  // that signed the leaf, in the chain that was verified; nullopt: there was none
  };
  // `chain_der`: leaf first. `expected_name`: a host name or address that must be among the leaf's; empty: any.
  Verdict check(const std::vector<std::string_view>& chain_der, std::string_view expected_name) const;

  // Of all that decides; equal for configurations that decide equally.
  const std::string& digest() const { return digest_; }
  const std::vector<SslOwned<x509_st>>& authorities() const { return authorities_; }
  // Of those: the file of one, for messages.
  const std::string& authorityName(size_t index) const { return authority_names_[index]; }

 private:
  Validator() = default;
  std::optional<Place> placeOf(const x509_st* certificate, const std::vector<SslOwned<x509_st>>& chain) const;
  // Those of these authorities, which it keeps under their name.
  SslOwned<x509_store_st> storeOf(std::vector<SslOwned<x509_st>> authorities, const std::string& name);
  absl::Status addTrustDomain(const ValidationConfig::TrustDomain& domain);
  Verdict checkTrust(const std::vector<SslOwned<x509_st>>& chain) const;
  Verdict checkPath(const std::vector<SslOwned<x509_st>>& chain, x509_store_st& store) const;
  Verdict checkHashes(const x509_st& leaf, std::string_view leaf_der) const;
  Verdict checkNames(const SubjectNames& names, std::string_view expected_name) const;

  ValidationConfig config_;
  Peer peer_ = Peer::kServer;
  SslOwned<x509_store_st> store_;  // null: no authority is asked, or those of `domains_`
  std::map<std::string, SslOwned<x509_store_st>, std::less<>> domains_;  // SPIFFE, by trust domain; empty: not that
  std::vector<SslOwned<x509_st>> authorities_;
  std::vector<std::string> authority_names_;                   // where they are from, in that order
  std::vector<std::string> certificate_hashes_, spki_hashes_;  // raw SHA-256
  std::string digest_;
};

}  // namespace sluice::tls
