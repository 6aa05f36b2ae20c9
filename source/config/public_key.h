// Public keys of consumers, as JSON Web Keys. (RFC 7517, 7518, 8037)
#pragma once

#include <memory>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/errors.h"
#include "source/filter/credentials/public_key.h"

namespace sluice::config {

// An RSA key of 2048 bits or more, one of P-256 or P-384, or of Ed25519. An RSA key takes rsa-pss-sha512, which is its
// own, and rsa-v1_5-sha256; the `alg` of a key is the only one that it takes. Null after reporting to `at`, which
// stands at `source`; nothing of the key is told.
std::unique_ptr<const filter::PublicKey> compilePublicKey(const envoy::config::core::v3::DataSource& source,
                                                          const Context& at);

}  // namespace sluice::config
