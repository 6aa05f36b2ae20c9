// The header of the PROXY protocol, as its specification (versions 1 and 2) says.
#pragma once

#include <string>
#include <string_view>

#include "source/net/address.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {

enum class Version { kV1, kV2 };

// All TLVs of a header; its length field has 16 bits and counts the addresses too.
inline constexpr size_t kMaxTlvBytes = 65535 - 36;

// `client` and `target`: IP addresses of one family; anything else (null, Unix sockets, a mix) makes a header that
// names nobody: UNKNOWN, or LOCAL. `tlvs`: encoded, version 2 only.
std::string makeHeader(Version version, const net::Address* client, const net::Address* target, std::string_view tlvs);

// One TLV; `value` of at most 65535 bytes.
std::string makeTlv(uint8_t type, std::string_view value);

}  // namespace sluice::extensions::transport_sockets::proxy_protocol
