// Reading X.509 certificates: PEM and DER in, names, dates and digests out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/transport.h"
#include "source/tls/context.h"
#include "source/tls/ssl_types.h"

namespace sluice::tls {

// The subject alternative names that can be told as text. One with a NUL or other control byte in it is left out: it
// could pass for another name (IP addresses are in canonical form).
struct SubjectNames {
  std::vector<std::string> dns, uri, ip, email;
  std::vector<std::string> other;       // otherName with a value that is a text
  std::vector<std::string> other_oids;  // their types, in that order
  size_t uri_count = 0;                 // with those that were left out
};

// Every certificate of a PEM text, in its order. Fails if there is none or if the text is cut off in the middle.
absl::StatusOr<std::vector<SslOwned<x509_st>>> parsePemCertificates(std::string_view pem);
// `password`: empty if there is none.
absl::StatusOr<SslOwned<evp_pkey_st>> parsePemKey(std::string_view pem, const std::string& password);
SslOwned<x509_st> parseDerCertificate(std::string_view der);  // null: it is none

std::string derOf(x509_st& certificate);
SubjectNames namesOf(const x509_st& certificate);
std::string commonNameOf(const x509_st& certificate);  // empty: none, or not fit for a host name
std::string subjectOf(const x509_st& certificate);     // RFC 2253
std::string issuerOf(const x509_st& certificate);
std::string serialOf(const x509_st& certificate);
int64_t validFromOf(const x509_st& certificate);
int64_t validToOf(const x509_st& certificate);
bool mustStaple(const x509_st& certificate);  // RFC 7633

std::string sha256(std::string_view bytes);
std::string sha1(std::string_view bytes);
std::string hexOf(std::string_view bytes);
std::string spkiSha256Of(const x509_st& certificate);

CertificateFacts factsOf(const x509_st& certificate, std::string_view name);
// `chain_der`: leaf first, at least one.
net::TlsInfo::Certificate describe(const std::vector<std::string_view>& chain_der);

// Whether a name in a certificate ("www.a.com", "*.a.com": exactly one label) is `host`. Both in any case.
bool dnsNameMatches(std::string_view pattern, std::string_view host);
// The canonical text of an address literal, or empty.
std::string canonicalIp(std::string_view text);

}  // namespace sluice::tls
