#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "source/event/polled_loop.h"
#include "source/net/test_peer.h"

using namespace std::chrono_literals;

namespace sluice::net {
namespace {

// TCP sockets: others know no resets.
struct TcpFixture {
  TcpFixture() {
    const Fd listener = *listenOn(*Address::parse("127.0.0.1:0"), {});
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const Address address = localAddress(listener.get());
    connect(client, address.sockaddrPointer(), address.sockaddrLength());
    peer = Fd(client);
    pollfd ready{listener.get(), POLLIN, 0};
    REQUIRE(poll(&ready, 1, 5000) == 1);
    a = std::make_unique<Peer>(loop, buffers, Fd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK)));
    loop.turn();
  }
  void say(std::string_view bytes) {
    REQUIRE(::send(peer.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    peer = Fd();
  }
  // What the peer gets: bytes, then the errno of the end (0: a FIN).
  int hear(std::string& out) {
    char buffer[65536];
    for (;;) {
      const ssize_t n = recv(peer.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (n > 0) out.append(buffer, static_cast<size_t>(n));
      if (n <= 0) return n == 0 ? 0 : errno;
    }
  }
  event::PolledLoop loop;
  WorkerBuffers buffers;
  Fd peer;
  std::unique_ptr<Peer> a;
};

TEST_CASE("a reset ends a connection, whatever its credit and however it comes") {
  const size_t credit = GENERATE(size_t{0}, size_t{1} << 20);
  const bool watched_before = GENERATE(true, false);  // bytes and reset in edges of their own, or in one
  TcpFixture f;
  f.a->credit = credit;
  if (credit > 0) {
    f.say("bytes");
    if (watched_before) f.loop.turn();
  }
  f.reset();

  REQUIRE(f.loop.until([&] { return f.a->broken; }));

  REQUIRE(f.a->got == (credit > 0 ? "bytes" : ""));
  REQUIRE(f.a->reason == CloseReason::kReset);
  REQUIRE_FALSE(f.a->ended);
}

TEST_CASE("without credit a reset waits behind unread bytes, but not where they do not matter") {
  const bool drops = GENERATE(true, false);
  TcpFixture f;
  f.a->credit = 0;
  f.a->drops = drops;
  f.say("unread");
  f.loop.turn();
  f.reset();
  f.loop.turn(20);
  REQUIRE(f.a->broken == drops);
  if (drops) return;

  f.a->credit = 100;
  f.a->connection.resumeReading();
  f.loop.turn();

  REQUIRE(f.a->got == "unread");
  REQUIRE(f.a->broken);
}

TEST_CASE("a broken connection whose last bytes nobody takes ends after a while, not while somebody does") {
  TcpFixture f;
  f.a->credit = 0;
  f.say("unread bytes");
  f.loop.turn();
  f.reset();
  f.loop.turn(20);

  f.loop.pass(Connection::kPatience - 1s);
  f.a->credit = 4;
  f.a->on_bytes = [&](std::string_view) { f.a->credit = 0; };
  f.a->connection.resumeReading();
  f.loop.turn();
  f.loop.pass(Connection::kPatience - 1s);
  REQUIRE_FALSE(f.a->broken);
  f.loop.pass(2 * Connection::kPatience);

  REQUIRE(f.a->got == "unre");
  REQUIRE(f.a->broken);
}

TEST_CASE("without credit a FIN behind unread bytes is told at once where they do not matter") {
  TcpFixture f;
  f.a->credit = 0;
  f.a->drops = true;
  f.say("unread");
  shutdown(f.peer.get(), SHUT_WR);

  REQUIRE(f.loop.until([&] { return f.a->ended; }));

  REQUIRE_FALSE(f.a->broken);
  REQUIRE(f.a->connection.open());
}

TEST_CASE("a reset behind a FIN ends the connection, and the FIN was one") {
  const size_t credit = GENERATE(size_t{0}, size_t{1} << 20);
  const bool one_edge = GENERATE(true, false);
  TcpFixture f;
  f.a->credit = credit;
  shutdown(f.peer.get(), SHUT_WR);
  if (!one_edge) REQUIRE(f.loop.until([&] { return f.a->ended; }));
  f.reset();

  REQUIRE(f.loop.until([&] { return f.a->broken; }));

  REQUIRE(f.a->ended);
}

TEST_CASE("a write that finds the connection reset ends it whatever the credit, behind what can be read") {
  const bool unread = GENERATE(true, false);
  TcpFixture f;
  f.a->credit = 0;
  f.a->drops = !unread;
  if (unread) f.say("answer");
  f.reset();

  f.a->connection.write(std::string(64 * 1024, 'x'));  // before the loop could tell
  f.loop.turn();
  if (unread) {
    REQUIRE_FALSE(f.a->broken);
    f.a->credit = 100;
    f.a->connection.resumeReading();
    f.loop.turn();
    REQUIRE(f.a->got == "answer");
  }

  REQUIRE(f.a->broken);
  REQUIRE(f.a->connection.pendingBytes() == 0);
  REQUIRE_FALSE(f.a->ended);
}

TEST_CASE("a reset goes behind all that was written, as soon as the peer has it") {
  TcpFixture f;
  const std::string big(8 << 20, 'x');
  f.a->connection.write(big);
  f.a->connection.resetBehind();
  REQUIRE(f.a->connection.open());

  std::string got;
  int error = EAGAIN;
  for (int i = 0; i < 20000 && error == EAGAIN; ++i) {
    error = f.hear(got);
    f.loop.pass(1ms);
  }

  REQUIRE(got.size() == big.size());
  REQUIRE(error == ECONNRESET);
  REQUIRE(f.a->broken);
  REQUIRE(f.a->reason == CloseReason::kLocal);
}

TEST_CASE("a reset does not wait for ever for a peer that takes nothing") {
  TcpFixture f;
  f.a->connection.write(std::string(8 << 20, 'x'));
  f.a->connection.resetBehind();

  f.loop.pass(2 * Connection::kPatience);

  REQUIRE(f.a->broken);
  REQUIRE_FALSE(f.a->connection.open());
}

}  // namespace
}  // namespace sluice::net
