// Reads the header that the PROXY protocol puts in front of a connection, versions 1 and 2, from its first bytes. Pure;
// bytes are untrusted and a header is accepted in its canonical form only.
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "source/net/address.h"

namespace sluice::extensions::listener_filters::proxy_protocol {

struct Header {
  struct Tlv {
    uint8_t type;
    std::string_view value;  // in the bytes that were parsed
  };

  int version = 0;
  size_t size = 0;  // bytes of the header; what follows is the client's own
  // Of the connection that the proxy in front has accepted. None: the connection is the proxy's own (LOCAL, a health
  // check), or the header does not say in IP addresses (UNKNOWN, UNSPEC, Unix sockets).
  net::Address source, destination;
  std::vector<Tlv> tlvs;  // version 2
};

enum class Outcome : uint8_t { kNeedMore, kFound, kAbsent, kMalformed };

// A longer header is malformed: the specification's own limit of version 1 is 107, version 2 could have 65551.
constexpr size_t kMaxHeader = 16 * 1024;

// `bytes`: all that have come so far. `header` is whole with kFound only; its version is also set with kMalformed.
// kAbsent as soon as the bytes cannot begin a header. `reason`: static text, with kMalformed.
Outcome parseHeader(std::string_view bytes, Header& header, const char*& reason);

}  // namespace sluice::extensions::listener_filters::proxy_protocol
