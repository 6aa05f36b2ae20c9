#include "source/control_plane/listen_address.h"

#include "source/base/text.h"

namespace sluice::control_plane {

absl::StatusOr<net::Address> parseListenAddress(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kLocalhost = "localhost:";
  if (text.starts_with(kUnix)) {
    absl::StatusOr<net::Address> address = net::Address::fromUnixPath(text.substr(kUnix.size()));
    if (address.ok()) return address;
  } else {
    const std::string ip =
        text.starts_with(kLocalhost) ? base::strCat("127.0.0.1:", text.substr(kLocalhost.size())) : std::string(text);
    absl::StatusOr<net::Address> address = net::Address::parse(ip);
    if (address.ok() && address->isIp()) return address;
  }
  return absl::InvalidArgumentError(
      base::strCat("'", text, "' is no address; write 127.0.0.1:18000, [::1]:18000 or unix:/path"));
}

std::string listenAddressText(const net::Address& address) {
  return address.isUnix() ? base::strCat("unix:", address.toString()) : address.toString();
}

}  // namespace sluice::control_plane
