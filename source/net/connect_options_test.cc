// Sockets that connect, and what they are made with.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <vector>

#include "source/net/socket.h"

namespace sluice::net {
namespace {

Address at(const char* ip, uint16_t port = 0) {
  return *Address::fromIp(ip, port);
}

int optionOf(const Fd& fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(fd.get(), level, name, &value, &size);
  return value;
}

struct Host {
  explicit Host(const char* ip = "127.0.0.1") : fd(*listenOn(at(ip), {})), address(localAddress(fd.get())) {}
  // Whom the next connection comes from.
  Address client() {
    pollfd wait{fd.get(), POLLIN, 0};
    poll(&wait, 1, 1000);
    const Fd accepted(accept4(fd.get(), nullptr, nullptr, SOCK_NONBLOCK));
    return peerAddress(accepted.get());
  }

  Fd fd;
  Address address;
};

TEST_CASE("a connection comes from the source address, at a port of the kernel's choice") {
  Host host;
  const ConnectOptions options{.sources = {{at("127.0.0.9")}}};

  const Fd one = *startConnect(host.address, options);
  CHECK(host.client().withPort(1) == at("127.0.0.9", 1));
  CHECK(localAddress(one.get()).port() != 0);
}

TEST_CASE("two hosts may be connected to from one port of the source, as the kernel chooses it late") {
  Host host;
  const Fd fd = *startConnect(host.address, {.sources = {{at("127.0.0.9")}}});

  CHECK(optionOf(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) == 1);
}

TEST_CASE("a host gets the source address of its family") {
  Host host("::1");
  const ConnectOptions options{.sources = {{at("127.0.0.9")}, {at("::1")}}};

  const Fd fd = *startConnect(host.address, options);
  CHECK(host.client().withPort(1) == at("::1", 1));

  const auto none = startConnect(host.address, {.sources = {{at("127.0.0.9")}}});
  CHECK(none.status().message().find("no source address of its family") != std::string_view::npos);
}

TEST_CASE("a source address that is not of this machine is an error that says so") {
  Host host;
  const auto fd = startConnect(host.address, {.sources = {{at("192.0.2.7")}}});

  REQUIRE_FALSE(fd.ok());
  CHECK(fd.status().message().find("cannot bind the source address 192.0.2.7:0") != std::string_view::npos);
  CHECK(fd.status().message().find("no interface of this machine has it") != std::string_view::npos);
}

TEST_CASE("with freebind it need not be of this machine") {
  Host host;
  ConnectOptions options;
  options.sources.push_back({at("192.0.2.7"), {SocketOption::ofInt(IPPROTO_IP, IP_FREEBIND, 1, "freebind")}});
  const auto fd = startConnect(host.address, options);

  // The loopback interface may refuse to route it: what matters is that it was bound.
  const bool bound = fd.ok() || fd.status().message().find("cannot bind") == std::string_view::npos;
  CHECK(bound);
}

TEST_CASE("keepalive is for TCP, and options of a source for that source") {
  Host host;
  const ConnectOptions options{
      .sources = {{at("127.0.0.9"), {SocketOption::ofInt(SOL_SOCKET, SO_PRIORITY, 3, "of the source")}}},
      .options = {SocketOption::ofInt(SOL_SOCKET, SO_PRIORITY, 5, "of the others")},
      .keepalive = {SocketOption::ofInt(SOL_SOCKET, SO_KEEPALIVE, 1, "tcp_keepalive"),
                    SocketOption::ofInt(IPPROTO_TCP, TCP_KEEPIDLE, 77, "keepalive_time")}};

  const Fd tcp = *startConnect(host.address, options);
  CHECK(optionOf(tcp, SOL_SOCKET, SO_KEEPALIVE) == 1);
  CHECK(optionOf(tcp, IPPROTO_TCP, TCP_KEEPIDLE) == 77);
  CHECK(optionOf(tcp, SOL_SOCKET, SO_PRIORITY) == 3);

  const Fd udp = *connectDatagram(host.address, options);
  CHECK(optionOf(udp, SOL_SOCKET, SO_KEEPALIVE) == 0);
  CHECK(localAddress(udp.get()).withPort(1) == at("127.0.0.9", 1));
}

TEST_CASE("an option that the kernel refuses is an error that names it") {
  Host host;
  const auto fd = startConnect(host.address, {.options = {SocketOption::ofInt(IPPROTO_TCP, 9999, 1, "nonsense")}});

  REQUIRE_FALSE(fd.ok());
  CHECK(fd.status().message().find("(nonsense)") != std::string_view::npos);
}

TEST_CASE("a Unix socket is connected to whatever is set for IP addresses") {
  const Address address = *Address::fromUnixPath("@sluice-connect-options-test");
  const Fd listener = *listenOn(address, {});

  CHECK(startConnect(address, {.sources = {{at("127.0.0.9")}}}).ok());
}

TEST_CASE("a connection may come from an address that is not the cluster's own") {
  Host host;
  const ConnectOptions options{.sources = {{at("127.0.0.9")}}};
  const BorrowedSource source{at("127.0.0.5")};

  const Fd one = *startConnect(host.address, options, &source);

  CHECK(host.client().withPort(1) == at("127.0.0.5", 1));
}

TEST_CASE("a borrowed source of the other family, or without the privilege, is an error that says so") {
  Host host;
  const BorrowedSource other{at("::1")}, foreign{at("192.0.2.1")}, marked{at("127.0.0.5"), 7};

  CHECK(absl::IsInvalidArgument(startConnect(host.address, {}, &other).status()));
  for (const BorrowedSource* source : {&foreign, &marked}) {
    const absl::StatusOr<Fd> fd = startConnect(host.address, {}, source);
    if (fd.ok()) continue;  // the test has the privilege
    CHECK(absl::IsPermissionDenied(fd.status()));
    CHECK(fd.status().message().find("CAP_NET_ADMIN") != std::string::npos);
  }
}

TEST_CASE("a listener speaks Multipath TCP, or the error says that the kernel has none") {
  const absl::StatusOr<Fd> listening = listenOn(at("127.0.0.1"), {.mptcp = true});
  if (!listening.ok()) {
    CHECK(absl::IsUnavailable(listening.status()));
    CHECK(listening.status().message().find("enable_mptcp") != std::string::npos);
    return;
  }
  constexpr int kMptcp = 262;
  CHECK(optionOf(*listening, SOL_SOCKET, SO_PROTOCOL) == kMptcp);
  const Fd client = *startConnect(localAddress(listening->get()));
  pollfd wait{listening->get(), POLLIN, 0};
  CHECK(poll(&wait, 1, 1000) == 1);
}

}  // namespace
}  // namespace sluice::net
