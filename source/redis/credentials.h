// What a proxy says to hosts of a cluster to be let in. (proto: RedisProtocolOptions)
#pragma once

#include <string>

#include "source/redis/resp.h"

namespace sluice::redis {

struct Credentials {
  std::string username;  // empty: the host's default user
  std::string password;  // empty: nothing is said

  // The command; empty: none.
  std::string command() const {
    if (password.empty()) return {};
    return username.empty() ? redis::command({"AUTH", password}) : redis::command({"AUTH", username, password});
  }

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

}  // namespace sluice::redis
