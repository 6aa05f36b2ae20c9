// What a header of the PROXY protocol (version 2) carries besides addresses. Values; any thread may read.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::net {

struct ProxyTlv {
  uint8_t type;
  std::string value;

  friend bool operator==(const ProxyTlv&, const ProxyTlv&) = default;
};
using ProxyTlvs = std::vector<ProxyTlv>;

// Which of them are passed on, by type; by default none. (proto: ProxyProtocolPassThroughTLVs)
using TlvTypes = std::bitset<256>;

// The checksum is of the header that it stands in.
inline constexpr uint8_t kTlvCrc32c = 3;

}  // namespace sluice::net
