#include "source/router/websocket.h"

#include <catch2/catch.hpp>

namespace sluice::router {
namespace {

TEST_CASE("a key gets the accept of RFC 6455 section 1.3") {
  base::Arena arena;
  CHECK(webSocketAccept(arena, "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("a key is 16 bytes") {
  base::Arena arena;
  CHECK(makeWebSocketKey(arena, 0, 0) == "AAAAAAAAAAAAAAAAAAAAAA==");
  CHECK(makeWebSocketKey(arena, 1, 2) != makeWebSocketKey(arena, 2, 1));
}

}  // namespace
}  // namespace sluice::router
