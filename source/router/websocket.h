// What HTTP/1 says at the beginning of a WebSocket and HTTP/2 does not (RFC 6455 section 4, RFC 8441 section 5.1):
// between the two, the router says it for the side that cannot.
#pragma once

#include <string_view>

#include "source/base/arena.h"

namespace sluice::router {

// A Sec-WebSocket-Key of 16 bytes.
std::string_view makeWebSocketKey(base::Arena& arena, uint64_t random_high, uint64_t random_low);
// The Sec-WebSocket-Accept that belongs to a key.
std::string_view webSocketAccept(base::Arena& arena, std::string_view key);

}  // namespace sluice::router
