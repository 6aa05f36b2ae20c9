#include "source/extensions/transport_sockets/proxy_protocol/transport.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "source/event/polled_loop.h"
#include "source/net/connection.h"

namespace sluice::extensions::transport_sockets::proxy_protocol {
namespace {

net::Address at(const char* text) {
  return *net::Address::parse(text);
}

TEST_CASE("version 1 is a line of text") {
  const net::Address client = at("10.1.2.3:4567"), target = at("10.0.0.1:80");
  const net::Address client6 = at("[2001:db8::1]:4567"), target6 = at("[::1]:80"), path = at("/run/a.sock");

  CHECK(makeHeader(Version::kV1, &client, &target, {}) == "PROXY TCP4 10.1.2.3 10.0.0.1 4567 80\r\n");
  CHECK(makeHeader(Version::kV1, &client6, &target6, {}) == "PROXY TCP6 2001:db8::1 ::1 4567 80\r\n");
  for (const net::Address* other : {static_cast<const net::Address*>(nullptr), &target6, &path}) {
    CHECK(makeHeader(Version::kV1, &client, other, {}) == "PROXY UNKNOWN\r\n");
  }
  CHECK(makeHeader(Version::kV1, nullptr, &target, {}) == "PROXY UNKNOWN\r\n");
}

TEST_CASE("version 2 is binary, with lengths in front") {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  const net::Address client = at("10.1.2.3:4567"), target = at("10.0.0.1:80");
  const net::Address client6 = at("[2001:db8::1]:4567"), target6 = at("[::1]:80");

  CHECK(makeHeader(Version::kV2, &client, &target, {}) ==
        signature + std::string("\x21\x11\x00\x0c\x0a\x01\x02\x03\x0a\x00\x00\x01\x11\xd7\x00\x50", 16));
  const std::string six = makeHeader(Version::kV2, &client6, &target6, makeTlv(0xE0, "ab"));
  CHECK(six.substr(12, 4) == std::string("\x21\x21\x00\x29", 4));
  CHECK(six.size() == 16 + 36 + 5);
  CHECK(six.substr(52) == std::string("\xe0\x00\x02"
                                      "ab",
                                      5));
  CHECK(makeHeader(Version::kV2, nullptr, nullptr, {}) == signature + std::string("\x20\x00\x00\x00", 4));
}

struct End : net::ConnectionEvents {
  void onConnected() override { connected = true; }
  size_t readCredit() override { return 1 << 20; }
  void onBytes(std::string_view bytes) override { got += bytes; }
  void onPeerEnd() override { ended = true; }
  void onBroken(net::CloseReason, int) override { broken = true; }
  std::string got;
  bool connected = false, ended = false, broken = false;
};

TEST_CASE("the header is in front of the bytes, and both directions go on behind it") {
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  End us, peer;
  const net::Address client = at("10.1.2.3:4567"), target = at("10.0.0.1:80");
  const HeaderTransportFactory factory(Version::kV1, {}, nullptr);
  net::TransportFactory::Options options;
  options.client = &client;
  options.target = &target;
  net::Connection ours(loop, buffers, net::Fd(fds[0]), net::Connection::Mode::kConnecting, us, factory.make(options));
  net::Connection theirs(loop, buffers, net::Fd(fds[1]), net::Connection::Mode::kAccepted, peer);
  const std::string big(1 << 20, 'x');
  ours.write("hello");
  ours.write(big);
  ours.shutdownWrites();
  REQUIRE(loop.until([&] { return peer.ended; }));
  theirs.write("answer");
  theirs.shutdownWrites();
  REQUIRE(loop.until([&] { return us.ended; }));

  CHECK(us.connected);
  CHECK(peer.got == "PROXY TCP4 10.1.2.3 10.0.0.1 4567 80\r\nhello" + big);
  CHECK(us.got == "answer");
  CHECK(!factory.isTls());
}

TEST_CASE("the header is ready when the transport behind it is") {
  struct Inner : net::TransportFactory {
    net::TransportPtr make(const Options&) const override { return nullptr; }
    std::string notReady() const override { return "secret"; }
  };
  const HeaderTransportFactory factory(Version::kV1, {}, std::make_shared<Inner>());
  CHECK(factory.notReady() == "secret");
  CHECK(factory.isTls());
  CHECK(HeaderTransportFactory(Version::kV1, {}, nullptr).notReady().empty());
}

TEST_CASE("TLVs of the client are passed on as far as they are chosen and there is room") {
  net::TlvTypes chosen;
  chosen.set(0xEA);
  const std::string added = makeTlv(0xE0, "x");
  const HeaderTransportFactory factory(Version::kV2, added, nullptr, chosen);
  const net::Address client = at("10.1.2.3:4567"), target = at("10.0.0.1:80");
  const net::ProxyTlvs tlvs{{0xE1, "no"}, {0xEA, std::string(65480, 'b')}, {0xEA, "much"}, {0xEA, "too much"}};
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  End us, peer;
  net::Connection ours(loop, buffers, net::Fd(fds[0]), net::Connection::Mode::kConnecting, us,
                       factory.make({.client = &client, .target = &target, .tlvs = &tlvs}));
  net::Connection theirs(loop, buffers, net::Fd(fds[1]), net::Connection::Mode::kAccepted, peer);
  ours.shutdownWrites();
  REQUIRE(loop.until([&] { return peer.ended; }));

  // 65499 in all: 4 are the added one's, 65483 the first one's; 7 more fit, 11 do not.
  CHECK(peer.got == makeHeader(Version::kV2, &client, &target,
                               added + makeTlv(0xEA, std::string(65480, 'b')) + makeTlv(0xEA, "much")));
}

}  // namespace
}  // namespace sluice::extensions::transport_sockets::proxy_protocol
