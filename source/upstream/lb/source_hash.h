// The hash of a client's address, for those who have no request: Envoy's.
#pragma once

#include <cstdint>
#include <optional>

#include "source/base/xx_hash.h"
#include "source/net/address.h"

namespace sluice::upstream::lb {

// Without its port; not set for a Unix socket.
inline std::optional<uint64_t> hashOfSource(const net::Address& client) {
  return client.isIp() ? std::optional(base::xxHash64(client.ip())) : std::nullopt;
}

}  // namespace sluice::upstream::lb
