// The ADDR of --listen and --http: "HOST:PORT", "[V6]:PORT", "unix:PATH".
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "source/net/address.h"

namespace sluice::control_plane {

// HOST is an IP or "localhost" (127.0.0.1). The error says what an address looks like.
absl::StatusOr<net::Address> parseListenAddress(std::string_view text);

// The form that gRPC and people read: "127.0.0.1:18000", "unix:/run/x.sock".
std::string listenAddressText(const net::Address& address);

}  // namespace sluice::control_plane
