// What hosts of a cluster want to hear from a Redis client. Immutable. (proto: RedisProtocolOptions)
#pragma once

#include <utility>
#include <vector>

#include "source/net/address.h"
#include "source/redis/credentials.h"

namespace sluice::upstream::cluster {

struct RedisAuth {
  redis::Credentials all;
  std::vector<std::pair<net::Address, redis::Credentials>> by_address;  // few

  const redis::Credentials& of(const net::Address& host) const {
    for (const auto& [address, credentials] : by_address) {
      if (address == host) return credentials;
    }
    return all;
  }
};

}  // namespace sluice::upstream::cluster
