#include "source/net/connect_race.h"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "source/event/polled_loop.h"
#include "source/net/test_peer.h"
#include "source/net/test_socket.h"

using namespace std::chrono_literals;

namespace sluice::net {
namespace {

// A host that accepts when it is asked.
struct Host {
  Fd fd = *listenOn(*Address::fromIp("127.0.0.1", 0), {});
  Address address = localAddress(fd.get());

  // The socket of the next connection; not valid: there is none.
  Fd accept() { return Fd(accept4(fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); }
};

// Nobody listens there.
Address refusing() {
  return Host().address;
}

struct RaceTest {
  void connect(const std::vector<Address>& addresses) {
    peer.emplace(loop, buffers, *startConnect(addresses.front()), Connection::Mode::kConnecting);
    peer->connection.raceTo(std::span(addresses).subspan(1), options);
    loop.turn();
  }
  bool connectedTo(const Address& address) {
    return loop.until([&] { return peer->connected; }) && peerAddress(peer->connection.fd()) == address;
  }

  event::PolledLoop loop;
  WorkerBuffers buffers;
  ConnectOptions options;
  Host host, other;
  std::optional<Peer> peer;
};

TEST_CASE("an attempt that is fast enough is the only one") {
  RaceTest t;
  t.connect({t.host.address, t.other.address});
  CHECK(t.connectedTo(t.host.address));
  t.loop.pass(1s);
  CHECK_FALSE(t.other.accept().valid());
}

TEST_CASE("after an attempt that failed the next one begins at once") {
  RaceTest t;
  t.connect({refusing(), refusing(), t.host.address});
  CHECK(t.connectedTo(t.host.address));
  CHECK_FALSE(t.peer->broken);
}

TEST_CASE("an attempt that takes long gets a rival, which wins if it is faster") {
  RaceTest t;
  const SilentHost silent;
  t.connect({silent.address, t.host.address, t.other.address});
  t.loop.pass(299ms);
  CHECK_FALSE(t.host.accept().valid());
  t.loop.pass(1ms);
  CHECK(t.connectedTo(t.host.address));
  t.loop.pass(1s);
  CHECK_FALSE(t.other.accept().valid());

  t.peer->connection.write("hello");
  t.loop.turn();
  TestSocket accepted(t.host.accept());
  CHECK(accepted.take() == "hello");
}

TEST_CASE("a rival that fails leaves the first attempt under way, and the next one begins") {
  RaceTest t;
  const SilentHost silent;
  t.connect({silent.address, refusing(), t.host.address});
  t.loop.pass(300ms);
  CHECK(t.connectedTo(t.host.address));
}

TEST_CASE("while one attempt is under way the failure of another is none of the connection") {
  RaceTest t;
  const SilentHost silent;
  t.connect({refusing(), silent.address, refusing()});
  t.loop.pass(1s);
  CHECK_FALSE(t.peer->broken);
  CHECK_FALSE(t.peer->connected);
  CHECK(t.peer->connection.connecting());
}

TEST_CASE("when all attempts have failed the connection has") {
  RaceTest t;
  t.connect({refusing(), refusing(), refusing()});
  CHECK(t.loop.until([&] { return t.peer->broken; }));
  CHECK(t.peer->reason == CloseReason::kConnectFailed);
  CHECK_FALSE(t.peer->connected);
}

TEST_CASE("what was written while connecting goes to the one that wins") {
  RaceTest t;
  const SilentHost silent;
  t.connect({silent.address, t.host.address});
  t.peer->connection.write("early");
  t.loop.pass(300ms);
  REQUIRE(t.connectedTo(t.host.address));
  t.loop.turn();
  TestSocket accepted(t.host.accept());
  CHECK(accepted.take() == "early");
}

TEST_CASE("a connection that is closed ends all attempts") {
  RaceTest t;
  const SilentHost silent;
  t.connect({silent.address, silent.address, t.host.address});
  t.loop.pass(300ms);
  t.peer->connection.close();
  t.loop.pass(1s);
  CHECK_FALSE(t.host.accept().valid());
  CHECK_FALSE(t.peer->broken);
}

TEST_CASE("an address where no attempt can begin is passed over") {
  RaceTest t;
  t.options.sources = {{*Address::fromIp("127.0.0.1", 0)}};
  t.connect({refusing(), *Address::fromIp("::1", 1), t.host.address});
  CHECK(t.connectedTo(t.host.address));
}

TEST_CASE("without a descriptor for another attempt there is none") {
  RaceTest t;
  int refused = 0;
  t.buffers.descriptors.on_refused = [&refused] { ++refused; };
  const SilentHost silent;
  t.connect({silent.address, t.host.address, t.other.address});
  t.buffers.descriptors.end = 0;
  t.loop.pass(1s);
  CHECK(refused == 1);
  CHECK_FALSE(t.peer->connected);
  CHECK(t.peer->connection.connecting());
}

}  // namespace
}  // namespace sluice::net
