#include "source/net/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>

using namespace std::chrono_literals;

namespace sluice::net {
namespace {

class Peer : public ConnectionEvents {
 public:
  Peer(event::Loop& loop, WorkerBuffers& buffers, Fd fd, Connection::Mode mode = Connection::Mode::kAccepted)
      : connection(loop, buffers, std::move(fd), mode, *this) {}

  void onConnected() override { connected = true; }
  size_t readCredit() override { return credit; }
  void onBytes(std::string_view bytes) override {
    got += bytes;
    largest = std::max(largest, bytes.size());
    if (on_bytes) on_bytes(bytes);
  }
  void onPeerEnd() override {
    ended = true;
    if (on_end) on_end();
  }
  void onBroken(CloseReason why, int) override {
    broken = true;
    reason = why;
    if (on_end) on_end();
  }
  void onDrained() override {
    ++drained;
    if (on_drained) on_drained();
  }

  std::function<void(std::string_view)> on_bytes;
  std::function<void()> on_end, on_drained;
  size_t credit = 1 << 30;
  size_t largest = 0;
  std::string got;
  bool connected = false, ended = false, broken = false;
  int drained = 0;
  CloseReason reason = CloseReason::kLocal;
  Connection connection;
};

struct Fixture {
  Fixture() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    a = std::make_unique<Peer>(*loop, buffers, Fd(fds[0]));
    b = std::make_unique<Peer>(*loop, buffers, Fd(fds[1]));
    guard.arm(5s);
  }
  std::unique_ptr<event::Loop> loop = event::makeLoop();
  WorkerBuffers buffers;
  std::unique_ptr<Peer> a, b;
  bool timed_out = false;
  event::Timer guard{loop->timers(), [this] {
                       timed_out = true;
                       loop->stop();
                     }};
};

TEST_CASE("bytes written before a FIN arrive before the end, in one edge too") {
  Fixture f;
  f.b->on_end = [&] { f.loop->stop(); };
  f.a->connection.write("hello");
  f.a->connection.shutdownWrites();

  f.loop->run();

  REQUIRE(f.b->got == "hello");
  REQUIRE(f.b->ended);
}

TEST_CASE("a writer faster than its reader keeps the rest and tells when it is gone") {
  Fixture f;
  f.b->credit = 0;
  const std::string big(3 << 20, 'x');
  f.a->connection.write(big);
  const size_t held = f.a->connection.pendingBytes();
  REQUIRE(held > 0);
  f.a->on_drained = [&] { f.loop->stop(); };
  f.loop->post([&] {
    f.b->credit = 1 << 30;
    f.b->connection.resumeReading();
  });

  f.loop->run();

  REQUIRE(f.a->drained == 1);
  REQUIRE(f.a->connection.pendingBytes() == 0);
}

TEST_CASE("whoever was told that gathered bytes wait is told when they have left, nobody else is") {
  Fixture f;
  const bool looks = GENERATE(false, true);
  f.b->on_bytes = [&](std::string_view) { f.loop->stop(); };
  f.a->connection.write("small");
  if (looks) REQUIRE(f.a->connection.pendingBytes() == 5);

  f.loop->run();

  REQUIRE(f.b->got == "small");
  REQUIRE(f.a->drained == (looks ? 1 : 0));
}

TEST_CASE("no more than the credit is delivered and nothing is lost when credit comes back") {
  Fixture f;
  f.b->credit = 10;
  f.b->on_bytes = [&](std::string_view bytes) {
    f.b->credit -= bytes.size();
    if (f.b->credit == 0) {
      f.loop->post([&] {
        f.b->credit = 10;
        f.b->connection.resumeReading();
      });
    }
    if (f.b->got.size() == 95) f.loop->stop();
  };
  f.a->connection.write(std::string(95, 'y'));

  f.loop->run();

  REQUIRE(f.b->got.size() == 95);
  REQUIRE(f.b->largest == 10);
}

TEST_CASE("without credit the peer's end is still told") {
  Fixture f;
  f.b->credit = 0;
  f.b->on_end = [&] { f.loop->stop(); };
  f.loop->post([&] { f.a->connection.close(); });

  f.loop->run();

  REQUIRE((f.b->ended || f.b->broken));
  REQUIRE_FALSE(f.timed_out);
}

TEST_CASE("without credit the peer's end waits behind unread bytes") {
  Fixture f;
  f.b->credit = 0;
  f.a->connection.write("unread");
  f.a->connection.shutdownWrites();
  event::Timer later(f.loop->timers(), [&] {
    REQUIRE_FALSE(f.b->ended);
    f.b->credit = 100;
    f.b->connection.resumeReading();
  });
  later.arm(5ms);
  f.b->on_end = [&] { f.loop->stop(); };

  f.loop->run();

  REQUIRE(f.b->got == "unread");
  REQUIRE(f.b->ended);
}

TEST_CASE("a connection attempt that is refused is told as such") {
  auto loop = event::makeLoop();
  WorkerBuffers buffers;
  Address address = *Address::parse("127.0.0.1:0");
  {
    Fd listener = *listenOn(address, {});
    address = localAddress(listener.get());
  }
  Peer peer(*loop, buffers, *startConnect(address), Connection::Mode::kConnecting);
  peer.on_end = [&] { loop->stop(); };

  loop->run();

  REQUIRE(peer.broken);
  REQUIRE(peer.reason == CloseReason::kConnectFailed);
}

TEST_CASE("what is written while connecting is sent once connected") {
  auto loop = event::makeLoop();
  WorkerBuffers buffers;
  Fd listener = *listenOn(*Address::parse("127.0.0.1:0"), {});
  Peer peer(*loop, buffers, *startConnect(localAddress(listener.get())), Connection::Mode::kConnecting);
  peer.connection.write("early");
  const int accepted = accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK);
  REQUIRE(accepted >= 0);
  Peer server(*loop, buffers, Fd(accepted));
  server.on_bytes = [&](std::string_view) { loop->stop(); };

  loop->run();

  REQUIRE(peer.connected);
  REQUIRE(server.got == "early");
}

TEST_CASE("an address that another socket listens on is refused as in use, also where both would share the port") {
  const Fd first = *listenOn(*Address::parse("127.0.0.1:0"), {.reuse_port = true});
  const Address address = localAddress(first.get());

  REQUIRE(probeFree(address).code() == absl::StatusCode::kAlreadyExists);
  REQUIRE(listenOn(address, {}).status().code() == absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace sluice::net
