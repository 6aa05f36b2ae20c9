// OCSP responses to be stapled (RFC 6960, 4.2): read far enough to know whether one belongs to a certificate and is
// current. Signatures are the client's to check.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/tls/ssl_types.h"

namespace sluice::tls {

struct OcspStaple {
  std::string der;
  int64_t this_update = 0, next_update = 0;  // seconds since the epoch; next_update 0: none was given
  bool currentAt(int64_t now) const { return next_update != 0 && now < next_update; }
};

// Fails if the bytes are no successful basic response, or not about `certificate`, or if it is revoked there.
absl::StatusOr<OcspStaple> parseOcspStaple(std::string_view der, const x509_st& certificate);

}  // namespace sluice::tls
