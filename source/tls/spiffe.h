// SPIFFE IDs, and certificates that carry one. (spiffe.io: SPIFFE-ID section 2, X509-SVID section 5.2)
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct x509_st;

namespace sluice::tls {

// "example.org": lower case letters, digits, ".", "-" and "_", 255 at most.
bool isTrustDomain(std::string_view name);

// The trust domain of a workload's ID, "spiffe://TRUST_DOMAIN/PATH"; a part of `id`. Empty: it is none.
std::string_view trustDomainOf(std::string_view id);

// The trust domain of the workload that a peer's certificate names. Fails, with the reason, if it is of no workload.
absl::StatusOr<std::string> workloadDomainOf(x509_st& leaf);

}  // namespace sluice::tls
