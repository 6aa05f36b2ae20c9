// Answers that name another host: MOVED and ASK.
#pragma once

#include <optional>
#include <string_view>

#include "source/net/address.h"

namespace sluice::extensions::network_filters::redis_proxy {

struct Redirection {
  net::Address host;
  bool asking = false;  // for this command only, behind ASKING
};

// nullopt: it is none, or names no address.
std::optional<Redirection> redirectionOf(std::string_view frame);

}  // namespace sluice::extensions::network_filters::redis_proxy
