#include "source/match/exchange.h"

#include <catch2/catch.hpp>

#include "source/base/arena.h"

namespace sluice::match {
namespace {

struct Stream {
  base::Arena arena;
  http::RequestHeaders request{arena};
  http::ResponseHeaders response{arena};
  http::Trailers trailers{arena};
  stream::StreamInfo info;

  Stream() {
    info.downstream_remote_address = "1.2.3.4:5";
    info.downstream_local_address = "10.0.0.1:443";
    info.downstream_direct_remote_address = "[::1]:6";
    info.requested_server_name = "example.com";
  }
};

TEST_CASE("a request has its stream, and of its addresses those that somebody looks at") {
  Stream stream;

  const Exchange all(stream.request, &stream.info, kRequestParts);
  const Exchange none(stream.request, &stream.info, kRequest);

  CHECK(all.data().request == &stream.request);
  CHECK(all.data().info == &stream.info);
  CHECK(all.data().server_name == "example.com");
  CHECK(all.data().remote->toString() == "1.2.3.4:5");
  CHECK(all.data().local->toString() == "10.0.0.1:443");
  CHECK(all.data().direct_remote->toString() == "[::1]:6");
  CHECK(all.data().response == nullptr);
  CHECK(none.data().remote->toString() == net::Address().toString());
  CHECK(none.data().direct_remote->toString() == net::Address().toString());
}

TEST_CASE("the peer is the client where nobody stands between them") {
  Stream stream;
  stream.info.downstream_direct_remote_address = {};

  const Exchange exchange(stream.request, &stream.info, kPeer);

  CHECK(exchange.data().direct_remote->toString() == "1.2.3.4:5");
}

TEST_CASE("a head without a stream stands alone") {
  Stream stream;

  const Exchange exchange(stream.request, nullptr, kRequestParts);

  CHECK(exchange.data().request == &stream.request);
  CHECK(exchange.data().info == nullptr);
  CHECK(exchange.data().server_name.empty());
}

TEST_CASE("a response is our own unless a host gave it") {
  Stream stream;
  Exchange exchange(stream.request, &stream.info, kResponseParts);

  stream.info.response_code_details = "via_upstream";
  exchange.setResponse(stream.response);
  CHECK(exchange.data().response == &stream.response);
  CHECK_FALSE(exchange.data().local_reply);
  stream.info.response_code_details = "route_not_found";
  exchange.setResponse(stream.response);
  CHECK(exchange.data().local_reply);
  CHECK(exchange.data().response_trailers == nullptr);
  exchange.setResponseTrailers(stream.trailers);
  CHECK(exchange.data().response_trailers == &stream.trailers);
}

}  // namespace
}  // namespace sluice::match
