// What server and client contexts have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "source/net/socket.h"
#include "source/tls/config.h"
#include "source/tls/context.h"
#include "source/tls/ocsp.h"
#include "source/tls/ssl_types.h"
#include "source/tls/stats.h"
#include "source/tls/validator.h"

namespace sluice::tls {

// A configured certificate with its key, checked against each other.
struct Certificate {
  SslOwned<x509_st> leaf;
  std::vector<SslOwned<crypto_buffer_st>> chain;  // leaf first
  SslOwned<evp_pkey_st> key;
  std::vector<std::string> names;  // DNS names; the common name only if there are no names at all
  bool ecdsa = false;
  uint16_t curve = 0;      // of an ECDSA key: its TLS group
  uint16_t signature = 0;  // of an ECDSA key: the TLS 1.3 signature algorithm
  bool must_staple = false;
  std::optional<OcspStaple> staple;

  std::vector<std::string_view> chainDer() const;
};

// Appends the secrets of handshakes to a file, in whole lines. Any thread.
class KeyLog {
 public:
  static absl::StatusOr<std::unique_ptr<const KeyLog>> open(const KeyLogConfig& config);
  void write(int fd, std::string_view line) const;

 private:
  KeyLog() = default;

  KeyLogConfig config_;
  net::Fd file_;
};

struct ContextCore {
  SslOwned<crypto_buffer_pool_st> pool;  // outlives all that refers to certificates
  TlsStats stats;
  ContextFacts facts;
  std::vector<Certificate> certificates;
  std::unique_ptr<const Validator> validator;  // null: any peer is accepted
  std::unique_ptr<const KeyLog> key_log;       // null: off
  std::string alpn;                            // in wire form
  SslOwned<ssl_ctx_st> ctx;

  // Everything of CommonConfig. `peer`: what is at the other end.
  absl::Status setUp(const CommonConfig& config, const TlsStats& counters, Validator::Peer peer);

 private:
  absl::Status setUpParameters(const CommonConfig& config);
  absl::Status addCertificate(const CertificateConfig& config);
};

// The wire form of a list of protocols (RFC 7301), or why it has none.
absl::StatusOr<std::string> alpnWire(const std::vector<std::string>& protocols);

}  // namespace sluice::tls
