// A request that somebody asks about, as a client would send it.
//
// Thread: any. Nothing here knows a configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "source/net/address.h"

namespace sluice::explain {

// Bounds of what is taken: more is refused.
inline constexpr size_t kMaxTarget = 16 * 1024;  // bytes of the request line
inline constexpr size_t kMaxHeaders = 200;
inline constexpr size_t kMaxHeaderBytes = 48 * 1024;  // names and values

struct Request {
  std::string method = "GET";
  std::string scheme = "http";                               // "http" or "https"
  uint16_t port = 80;                                        // the URL's, or that of its scheme; no `host` header's
  std::string authority;                                     // of the `host` header, else of the URL, as written
  std::string path = "/";                                    // with the query; empty for CONNECT
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case; no pseudo-headers, no "host"
  std::string upgrade;   // in lower case: what an `upgrade` header asks for first; empty: nothing
  std::string listener;  // its name, or its address; empty: found by the URL's port
  net::Address source;   // of the client; a loopback address if nobody says
  std::string sni;       // in lower case; of https the URL's host if nobody says and it is a name
};

// By name, as the admin page and the command line take them: `request` ("GET https://host/path", or without a method),
// `header` ("name: value", any number), `listener`, `source` (an IP, or one with a port), `sni`.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// InvalidArgument says what is wrong and what it should look like; it quotes no value of a header.
absl::StatusOr<Request> requestOf(const Parameters& parameters);

}  // namespace sluice::explain
