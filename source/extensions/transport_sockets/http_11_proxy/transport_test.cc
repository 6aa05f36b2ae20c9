#include "source/extensions/transport_sockets/http_11_proxy/transport.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "source/event/polled_loop.h"
#include "source/net/connection.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::transport_sockets::http_11_proxy {
namespace {

const net::Address kHost = *net::Address::parse("10.0.0.1:443");
const net::Address kProxy = *net::Address::parse("10.9.9.9:3128");

struct End : net::ConnectionEvents {
  void onConnected() override { connected = true; }
  size_t readCredit() override { return 1 << 20; }
  void onBytes(std::string_view bytes) override { got += bytes; }
  void onPeerEnd() override { ended = true; }
  void onBroken(net::CloseReason reason, int) override { broken = reason; }
  std::string got;
  bool connected = false, ended = false;
  std::optional<net::CloseReason> broken;
};

// A connection to a proxy, of which the test is one end.
struct Bed {
  Bed() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    const TunnelFactory factory(kProxy, nullptr);
    ours = std::make_unique<net::Connection>(loop, buffers, net::Fd(fds[0]), net::Connection::Mode::kConnecting, us,
                                             factory.make({.host = &kHost}));
    proxy = std::make_unique<net::Connection>(loop, buffers, net::Fd(fds[1]), net::Connection::Mode::kAccepted, peer);
    REQUIRE(loop.until([&] { return peer.got.ends_with("\r\n\r\n"); }));
  }
  void say(std::string_view bytes) {
    proxy->write(bytes);
    proxy->flush();
  }

  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  End us, peer;
  std::unique_ptr<net::Connection> ours, proxy;
};

TEST_CASE("a tunnel is asked for, and what is behind the answer is the host's") {
  Bed bed;
  CHECK(bed.peer.got == "CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n");
  CHECK_FALSE(bed.us.connected);

  bed.say("HTTP/1.1 200 Connection established\r\nVia: a\r\n\r\nhello");
  REQUIRE(bed.loop.until([&] { return bed.us.got == "hello"; }));
  bed.ours->write("answer");
  REQUIRE(bed.loop.until([&] { return bed.peer.got.ends_with("answer"); }));

  CHECK(bed.us.connected);
}

TEST_CASE("an answer may come in pieces, behind interim ones") {
  Bed bed;

  for (const std::string_view piece : {"HTTP/1.1 100 Continue\r\n\r", "\nHTTP/1.0 200\r", "\n\r", "\nx"}) {
    CHECK_FALSE(bed.us.connected);
    bed.say(piece);
    bed.loop.turn(10);
  }

  REQUIRE(bed.loop.until([&] { return bed.us.got == "x"; }));
}

TEST_CASE("whatever is no tunnel fails the connection, with the reason") {
  const auto [answer, why] =
      GENERATE(table<std::string, std::string>({{"HTTP/1.1 403 Forbidden\r\n\r\n", "answered CONNECT with status 403"},
                                                {"HTTP/1.1 101 Switching\r\n\r\n", "answered CONNECT with status 101"},
                                                {"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP/1"},
                                                {"HTTP/1.1 2000 OK\r\n\r\n", "not HTTP/1"},
                                                {"HTTP/1.1 200 " + std::string(9000, 'x'), "more than 8192 bytes"}}));
  Bed bed;

  bed.say(answer);

  REQUIRE(bed.loop.until([&] { return bed.us.broken.has_value(); }));
  CHECK(*bed.us.broken == net::CloseReason::kHandshakeFailed);
  CHECK_THAT(std::string(bed.ours->transport()->failure()), Catch::Contains(why));
}

TEST_CASE("a proxy that closes in the middle of its answer fails the connection") {
  Bed bed;

  bed.say("HTTP/1.1 200 OK\r\n");
  bed.proxy->shutdownWrites();

  REQUIRE(bed.loop.until([&] { return bed.us.broken.has_value(); }));
  CHECK_THAT(std::string(bed.ours->transport()->failure()), Catch::Contains("closed the connection"));
}

TEST_CASE("the proxy is the host's own, else the default one, and none for what is on this machine") {
  const stream::FixedMetadata named({{std::string(stream::kProxyAddressMetadata),
                                      {stream::MetadataFields{{"address", {std::string("10.1.1.1:8080")}}}}}},
                                    "named");
  const net::Address path = *net::Address::parse("/run/a.sock");
  const TunnelFactory with(kProxy, nullptr), without(std::nullopt, nullptr);

  CHECK(with.proxyOf({.host = &kHost, .host_metadata = &named})->toString() == "10.1.1.1:8080");
  CHECK(*with.proxyOf({.host = &kHost}) == kProxy);
  CHECK_FALSE(without.proxyOf({.host = &kHost}));
  CHECK_FALSE(with.proxyOf({.host = &path}));
  CHECK_FALSE(with.proxyOf({}));
  CHECK(without.make({.host = &kHost}) == nullptr);
  CHECK(with.make({.host = &kHost}) != nullptr);
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::http_11_proxy
