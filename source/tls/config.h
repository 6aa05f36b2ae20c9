// What a TLS context is made of: plain structs, filled by the compiler of `transport_socket` from
// envoy.extensions.transport_sockets.tls.v3. All data is inline; whoever fills it has read the files.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/net/address.h"
#include "source/tls/ticket_keys.h"

namespace sluice::tls {

// TlsParameters.TlsProtocol; kAuto: TLS 1.2 at least, TLS 1.3 at most.
enum class Version : uint8_t { kAuto, kTls10, kTls11, kTls12, kTls13 };

// TlsCertificate
struct CertificateConfig {
  std::string chain_pem;  // leaf first
  std::string key_pem;
  std::string password;       // of an encrypted key; empty: none
  std::string ocsp_staple;    // DER; empty: none
  std::string name;           // for messages and /certs: path of the file, name of the secret, or "<inline>"
  std::string key_name = "";  // the same for the key; empty: as `name`
};

// SubjectAltNameMatcher
struct SanMatcher {
  enum class Type : uint8_t { kEmail, kDns, kUri, kIp, kOther };
  Type type = Type::kDns;
  std::string oid;  // of kOther: the type of the name, "1.3.6.1.4.1.311.20.2.3"
  // Safe to call from all workers. IP addresses are given in their canonical text form.
  std::function<bool(std::string_view)> matches;
  // A StringMatcher.exact: for kDns it is then compared by the rules of host names (wildcards of the certificate), and
  // `matches` is not asked. Empty: not exact.
  std::string exact;
  // The matcher in text, with its type and all that decides: sessions are resumed only between equal ones.
  std::string description;
};

// CertificateValidationContext
struct ValidationConfig {
  std::string trusted_ca_pem;   // empty: no authority is asked
  std::string trusted_ca_name;  // for messages and /certs
  // SPIFFE: instead of all that; a peer is believed by the authorities of the trust domain that it names.
  struct TrustDomain {
    std::string name;
    std::string bundle_pem;
    std::string bundle_name;  // for messages and /certs
  };
  std::vector<TrustDomain> trust_domains;
  std::string crl_pem;  // empty: none
  bool only_verify_leaf_cert_crl = false;
  std::vector<std::string> certificate_hashes;  // SHA-256 of the DER form, hexadecimal, colons allowed
  std::vector<std::string> spki_hashes;         // SHA-256 of the public key info, base64
  std::vector<SanMatcher> san_matchers;         // one must match if there are any
  bool allow_expired_certificate = false;
  bool accept_untrusted = false;  // trust_chain_verification: ACCEPT_UNTRUSTED
  std::optional<uint32_t> max_verify_depth;
  bool suppress_client_ca_list = false;  // servers: do not tell clients the names of the authorities
};

// TlsKeyLog: secrets of each handshake in NSS format, to decrypt captures.
struct KeyLogConfig {
  std::string path;  // empty: off
  // Empty: all connections. Called on workers.
  std::function<bool(const net::Address& local, const net::Address& remote)> wanted;
};

// CommonTlsContext
struct CommonConfig {
  Version min_version = Version::kAuto;
  Version max_version = Version::kAuto;
  // TLS 1.2 and older, in the order of preference; "[A|B]": A and B are equal. Empty: BoringSSL's safe choice. A
  // TLS 1.3 suite is an error: BoringSSL chooses these by itself.
  std::vector<std::string> cipher_suites;
  std::vector<std::string> curves;                // "X25519", "P-256", ...; empty: these two
  std::vector<std::string> signature_algorithms;  // "ecdsa_secp256r1_sha256", ...; empty: BoringSSL's
  std::vector<std::string> alpn;                  // in the order of preference
  std::vector<CertificateConfig> certificates;
  std::optional<ValidationConfig> validation;
  KeyLogConfig key_log;
};

// DownstreamTlsContext
struct ServerConfig {
  CommonConfig common;
  bool require_client_certificate = false;
  bool require_sni = false;
  // 80 bytes each (16 name, 32 HMAC, 32 AES-256). The first encrypts, all decrypt. Empty: those of the ring.
  std::vector<std::string> session_ticket_keys;
  std::shared_ptr<TicketKeyRing> ticket_key_ring;     // null: keys of this context's own
  bool disable_stateless_session_resumption = false;  // tickets
  bool disable_stateful_session_resumption = false;   // session ids (TLS 1.2)
  std::optional<std::chrono::seconds> session_timeout;
  enum class OcspPolicy : uint8_t { kLenientStapling, kStrictStapling, kMustStaple };
  OcspPolicy ocsp_policy = OcspPolicy::kLenientStapling;
  bool full_scan_certs_on_sni_mismatch = false;
  bool prefer_client_ciphers = false;
  // Whatever else must be equal for a session to be resumed here (the listener's and filter chain's server names).
  std::string session_scope;
};

// UpstreamTlsContext. auto_host_sni and auto_sni_san_validation come with net::TransportFactory::Options.
struct ClientConfig {
  CommonConfig common;  // at most one certificate per key type; the first that fits is sent
  std::string sni;
  // Sessions kept for each Options::session_key and server name; 0: no resumption.
  uint32_t max_session_keys = 1;
  bool allow_renegotiation = false;  // true is refused: it is an attack surface that HTTP does not need
  bool request_ocsp_staple = false;  // asks for one; what comes is not looked at
};

}  // namespace sluice::tls
