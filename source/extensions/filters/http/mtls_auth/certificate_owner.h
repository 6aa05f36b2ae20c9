// Whose certificate a connection has shown.
#pragma once

#include <memory>
#include <string_view>

#include "source/filter/credentials/consumers.h"
#include "source/net/transport.h"

namespace sluice::extensions::http_filters::mtls_auth {

struct CertificateOwner final : net::TlsInfo::Finding {
  std::shared_ptr<const filter::Consumers> consumers;  // among whom it was looked for
  const filter::KnownConsumer* known = nullptr;        // null: refused
  filter::IdentityPtr identity;                        // of `known`
  std::string_view refusal;                            // response code details; static storage
};

// The owner among `consumers`. A hash says more than a name; names of several consumers in one certificate say nothing.
// `tls` has a certificate; what is not verified counts by its hash only, and only with `accept_unverified_hashes`.
std::shared_ptr<const CertificateOwner> findOwner(const net::TlsInfo& tls,
                                                  std::shared_ptr<const filter::Consumers> consumers,
                                                  bool accept_unverified_hashes);

}  // namespace sluice::extensions::http_filters::mtls_auth
