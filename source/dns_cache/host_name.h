// The host that somebody wants to go to, by name: what a cache is asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::dns_cache {

struct HostName {
  std::string host;  // in lower case, without brackets: "a.example", "::1"
  uint16_t port = 0;
  std::string key;  // both: "a.example:80", "[::1]:80"
};

// Of an authority ("a.example:8080", "[::1]"). nullopt: no name that the DNS could be asked for and no address, or no
// port.
std::optional<HostName> parseHostName(std::string_view authority, uint16_t default_port);
// Whether the authority names that host; where it has no port the host is all that counts.
bool names(std::string_view authority, const HostName& name);

}  // namespace sluice::dns_cache
