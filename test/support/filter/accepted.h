// A connection as a listener hands it on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "source/filter/network_chain.h"
#include "source/net/address.h"

namespace sluice::filter::testing {

// From 10.1.2.3, this port, to 10.0.0.1:80.
inline Accepted acceptedOf(net::Fd fd, uint16_t port = 4567) {
  Accepted accepted;
  accepted.fd = std::move(fd);
  accepted.remote = accepted.direct_remote = *net::Address::fromIp("10.1.2.3", port);
  accepted.local = accepted.direct_local = *net::Address::fromIp("10.0.0.1", 80);
  return accepted;
}

}  // namespace sluice::filter::testing
