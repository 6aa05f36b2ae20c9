// A host with its port as text: "a:80", "1.2.3.4:80", "[::1]:80", or a host alone.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::base {

// Views into the text that was split.
struct HostPort {
  std::string_view host;  // as it is spelled, brackets included
  std::string_view port;  // not looked into; empty if there is none, or nothing behind the colon
  bool has_port = false;  // there was a colon for it

  // The host without the brackets that stand around an IPv6 address.
  std::string_view bareHost() const {
    return host.size() >= 2 && host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  }
};

// An IPv6 address without brackets is a host: no part of it is a port.
constexpr HostPort splitHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {text, {}, false};
  bool in_host = false;
  if (text.find(':') == colon) {
    in_host = text.find(']', colon) != std::string_view::npos;
  } else {
    const size_t bracket = text.rfind(']');
    in_host = bracket == std::string_view::npos || colon < bracket;
  }
  if (in_host) return {text, {}, false};
  return {text.substr(0, colon), text.substr(colon + 1), true};
}

// Of the text of an address (net::Address): whether it is no IP address with a port, but that of a Unix socket or an
// internal listener, or none at all.
constexpr bool isAddressWithoutPort(std::string_view address) {
  return address.empty() || address[0] == '/' || address[0] == '@' || address.starts_with("envoy://");
}

}  // namespace sluice::base
