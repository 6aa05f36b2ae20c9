// Who the client of a request is, where it is not the peer of the connection, and whose word counts for what only
// proxies and services of ours may say.
//
// Pure functions; any thread. Settings are immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/http/headers.h"
#include "source/net/address.h"
#include "source/net/cidr.h"

namespace sluice::session {

// (proto: HttpConnectionManager.InternalAddressConfig)
struct InternalAddresses {
  std::vector<net::Cidr> ranges;
  bool unix_sockets = false;

  bool contains(const net::Address& address) const;
};

// A way to find out who the client is. (proto: original_ip_detection_extensions)
struct OriginDetection {
  enum class Kind : uint8_t {
    kHops,     // behind so many trusted proxies at the end of x-forwarded-for
    kProxies,  // the last one in x-forwarded-for that is no trusted proxy, if the peer is one
    kHeader    // who stands in the header
  };
  Kind kind = Kind::kHops;
  uint32_t hops = 0;
  std::vector<net::Cidr> proxies;
  std::string header;           // lower case
  bool may_be_internal = true;  // the client that the header names counts as an internal one if its address is
  bool adds_peer = false;       // the peer's address goes behind x-forwarded-for
  uint16_t refusal = 0;         // the status where the header names nobody; 0: the request goes on
};

struct Origin {
  std::optional<net::Address> client;  // nullopt: nobody has said
  bool may_be_internal = false;
  bool adds_peer = false;
  uint16_t refusal = 0;  // the request is to be answered so
};

// The first of `detections` that finds somebody, or refuses. `peer_ip`: of the connection; empty: a Unix socket.
Origin findOrigin(const std::vector<OriginDetection>& detections, std::string_view peer_ip,
                  const http::RequestHeaders& headers);

}  // namespace sluice::session
