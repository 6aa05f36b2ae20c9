// A TLS context: certificates, authorities and rules, checked once and shared by all connections that begin while it is
// current. Immutable; made on main, used by all workers; lives as long as its slot or any connection refers to it.
//
// create() tells what is wrong with a configuration, where, why and what to do, and never returns half a context: the
// caller keeps its last good one. Files that change are read by the caller, which makes a new context of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/transport.h"
#include "source/tls/config.h"
#include "source/tls/stats.h"

namespace sluice::tls {

// For the admin's /certs page.
struct CertificateFacts {
  std::string name;    // CertificateConfig::name or trusted_ca_name
  std::string serial;  // hexadecimal, lower case
  std::string subject, issuer;
  std::vector<std::string> dns_sans, uri_sans, ip_sans, email_sans;
  int64_t valid_from = 0, valid_to = 0;            // seconds since the epoch
  int64_t ocsp_valid_from = 0, ocsp_valid_to = 0;  // 0: no staple
  // 0 once it has expired.
  int64_t daysUntilExpiration(int64_t now) const;
};

struct ContextFacts {
  std::vector<CertificateFacts> certificates;  // leaves of the configured chains
  std::vector<CertificateFacts> authorities;   // of trusted_ca
  std::vector<std::string> warnings;           // "certificate 'x' expired on ...": it is served all the same
};

class ServerContext {
 public:
  static absl::StatusOr<std::shared_ptr<const ServerContext>> create(const ServerConfig& config,
                                                                     const TlsStats& stats = {});
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  const ContextFacts& facts() const;
  static net::TransportPtr makeTransport(std::shared_ptr<const ServerContext> context);

  struct Impl;  // of this folder
  const Impl& impl() const { return *impl_; }

 private:
  ServerContext();
  std::unique_ptr<Impl> impl_;
};

class ClientContext {
 public:
  static absl::StatusOr<std::shared_ptr<const ClientContext>> create(const ClientConfig& config,
                                                                     const TlsStats& stats = {});
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  const ContextFacts& facts() const;
  static net::TransportPtr makeTransport(std::shared_ptr<const ClientContext> context,
                                         const net::TransportFactory::Options& options);

  struct Impl;  // of this folder
  const Impl& impl() const { return *impl_; }

 private:
  ClientContext();
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::tls
