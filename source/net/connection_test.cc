#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "source/event/polled_loop.h"
#include "source/net/test_peer.h"

using namespace std::chrono_literals;

namespace sluice::net {
namespace {

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

// A transport that is none: each side greets with 'h', bytes go inverted, 'E' is the end. It takes bytes that the
// socket does not and has them sent by later calls, as TLS does with its records.
class FakeTransport : public Transport {
 public:
  Status handshake(const Io& io) override {
    if (!greeted_) {
      held_ = "h";
      greeted_ = true;
    }
    if (!send(io)) return broken_ ? Status::kFailed : Status::kWantWrite;
    char byte;
    const ssize_t n = recv(io.fd, &byte, 1, 0);
    if (n < 0) return errno == EAGAIN ? Status::kWantRead : Status::kFailed;
    return n == 1 && byte == 'h' ? Status::kDone : Status::kFailed;
  }
  Result read(const Io& io, char* to, size_t size) override {
    if (ended_) return {Status::kEnd};
    const ssize_t n = recv(io.fd, to, std::min(size, most), 0);
    if (n < 0) return {errno == EAGAIN ? Status::kWantRead : Status::kFailed};
    if (n == 0) return {Status::kTruncated};
    size_t got = 0;
    for (ssize_t i = 0; i < n && !ended_; ++i) {
      ended_ = to[i] == 'E';
      if (!ended_) to[got++] = static_cast<char>(~to[i]);
    }
    if (got == 0) return {Status::kEnd};
    return {Status::kDone, got, static_cast<size_t>(n) < std::min(size, most)};
  }
  Result write(const Io& io, const iovec* vectors, int count) override {
    if (!send(io)) return {broken_ ? Status::kFailed : Status::kWantWrite};
    size_t taken = 0;
    for (int i = 0; i < count && held_.empty(); ++i) {
      const auto* bytes = static_cast<const char*>(vectors[i].iov_base);
      for (size_t k = 0; k < vectors[i].iov_len; ++k) held_.push_back(static_cast<char>(~bytes[k]));
      taken += vectors[i].iov_len;
      send(io);
    }
    if (broken_) return {Status::kFailed};
    return {held_.empty() ? Status::kDone : Status::kWantWrite, taken};
  }
  void sendEnd(const Io& io) override {
    if (std::exchange(end_sent_, true)) return;
    held_ += 'E';
    send(io);
  }
  std::string_view failure() const override { return "the fake failed"; }

  size_t most = 1 << 20;

 private:
  bool send(const Io& io) {
    while (!held_.empty()) {
      const ssize_t n = ::send(io.fd, held_.data(), held_.size(), MSG_NOSIGNAL);
      if (n < 0) {
        broken_ = errno != EAGAIN;
        return false;
      }
      held_.erase(0, static_cast<size_t>(n));
    }
    return true;
  }
  std::string held_;
  bool greeted_ = false, ended_ = false, end_sent_ = false, broken_ = false;
};

// One side with the fake transport, the other a plain socket in the test's hands.
struct FakeFixture {
  explicit FakeFixture(Connection::Mode mode = Connection::Mode::kAccepted) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    peer = Fd(fds[1]);
    auto made = std::make_unique<FakeTransport>();
    transport = made.get();
    a = std::make_unique<Peer>(loop, buffers, Fd(fds[0]), mode, std::move(made));
  }
  void say(std::string_view bytes, bool plain = false) {
    std::string out(bytes);
    if (!plain) {
      for (char& c : out) c = static_cast<char>(~c);
    }
    REQUIRE(::send(peer.get(), out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
  }
  // What the peer received since the last time; `ended`: the FIN was behind it.
  std::string heard() {
    std::string out(4 << 20, '\0');
    size_t size = 0;
    for (;;) {
      const ssize_t n = recv(peer.get(), out.data() + size, out.size() - size, MSG_DONTWAIT);
      ended |= n == 0;
      if (n <= 0) break;
      size += static_cast<size_t>(n);
    }
    out.resize(size);
    return out;
  }
  event::PolledLoop loop;
  WorkerBuffers buffers;
  Fd peer;
  FakeTransport* transport;
  std::unique_ptr<Peer> a;
  bool ended = false;
};

TEST_CASE("a prepared socket takes nobody before it begins") {
  const ListenOptions options{.reuse_port = true};
  const Fd prepared = *prepareListening(*Address::parse("127.0.0.1:0"), options);
  const Address address = localAddress(prepared.get());
  const Fd early(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(early.get(), address.sockaddrPointer(), address.sockaddrLength()) != 0);

  REQUIRE(beginListening(prepared.get(), address, options).ok());
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(client.get(), address.sockaddrPointer(), address.sockaddrLength()) == 0);
}

TEST_CASE("a prepared UDP socket receives nothing before it begins") {
  const ListenOptions options{.datagram = true};
  Address address;
  {
    const Fd probe = *listenOn(*Address::parse("127.0.0.1:0"), options);
    address = localAddress(probe.get());
  }
  const Fd prepared = *prepareListening(address, options);
  const auto send = [&] {
    const Fd client = *connectDatagram(address);
    return ::send(client.get(), "x", 1, 0) == 1 && pendingError(client.get()) == 0;
  };
  CHECK_FALSE(send());  // the kernel says that nobody is there

  REQUIRE(beginListening(prepared.get(), address, options).ok());
  CHECK(send());
  char byte = 0;
  CHECK(recv(prepared.get(), &byte, 1, 0) == 1);
}

TEST_CASE("a connection is established when its transport's handshake is over, and sends what waited") {
  FakeFixture f(GENERATE(Connection::Mode::kAccepted, Connection::Mode::kConnecting));
  f.a->connection.write("early");
  f.loop.turn();
  REQUIRE(f.heard() == "h");
  REQUIRE(f.a->connection.connecting());
  REQUIRE_FALSE(f.a->connected);

  f.say("h", true);
  f.loop.turn();

  REQUIRE(f.a->connected);
  REQUIRE(f.heard().size() == 5);
}

TEST_CASE("bytes and the end that come with the handshake are delivered behind it") {
  const bool before = GENERATE(true, false);
  FakeFixture f;
  if (!before) f.loop.turn();
  f.say("h", true);
  f.say("first words");
  f.say("E", true);
  shutdown(f.peer.get(), SHUT_WR);

  f.loop.turn();

  REQUIRE(f.a->connected);
  REQUIRE(f.a->got == "first words");
  REQUIRE(f.a->ended);
  REQUIRE_FALSE(f.a->connection.truncated());
}

TEST_CASE("a FIN in the same edge as a short read is noticed through a transport too") {
  FakeFixture f;
  f.say("h", true);
  f.loop.turn();
  f.say("bye");
  shutdown(f.peer.get(), SHUT_WR);

  f.loop.turn();

  REQUIRE(f.a->got == "bye");
  REQUIRE(f.a->ended);
  REQUIRE(f.a->connection.truncated());
}

TEST_CASE("a failed handshake closes the connection and says that it was the handshake") {
  FakeFixture f;
  f.say("x", true);

  f.loop.turn();

  REQUIRE(f.a->broken);
  REQUIRE(f.a->reason == CloseReason::kHandshakeFailed);
  REQUIRE_FALSE(f.a->connection.open());
  REQUIRE(f.a->connection.transport()->failure() == "the fake failed");
}

TEST_CASE("what a transport holds back counts as pending, and the end waits behind it") {
  FakeFixture f;
  f.say("h", true);
  f.loop.turn();
  f.a->connection.write(std::string(3 << 20, 'x'));
  f.a->connection.shutdownWrites();
  REQUIRE(f.a->connection.pendingBytes() > 0);

  std::string all;
  for (int i = 0; i < 1000 && !f.ended; ++i) {
    f.loop.turn();
    all += f.heard();
  }

  REQUIRE(f.ended);
  REQUIRE(all.size() == 1 + (3 << 20) + 1);
  REQUIRE(all.back() == 'E');
  REQUIRE(f.a->drained == 1);
}

TEST_CASE("an end that the socket does not take goes out before the FIN") {
  FakeFixture f;
  f.say("h", true);
  f.loop.turn();
  // Fill the socket to the last byte, from under the connection.
  const std::string filler(1 << 16, 'f');
  while (::send(f.a->connection.fd(), filler.data(), filler.size(), MSG_NOSIGNAL) > 0) {
  }
  while (::send(f.a->connection.fd(), filler.data(), 1, MSG_NOSIGNAL) > 0) {
  }

  f.a->connection.shutdownWrites();
  std::string all;
  for (int i = 0; i < 100 && !f.ended; ++i) {
    all += f.heard();
    f.loop.turn();
  }

  REQUIRE(f.ended);
  REQUIRE(all.back() == 'E');
}

TEST_CASE("a close that drops bytes does not look like a proper end") {
  const bool drops = GENERATE(true, false);
  FakeFixture f;
  f.say("h", true);
  f.loop.turn();
  if (drops) f.a->connection.write("never sent");

  f.a->connection.close();

  REQUIRE(f.heard() == (drops ? "h" : "hE"));
}

TEST_CASE("a transport that gives little at a time is read to the end") {
  FakeFixture f;
  f.transport->most = 7;
  f.say("h", true);
  f.say(std::string(100000, 'y'));

  f.loop.turn();

  REQUIRE(f.a->got.size() == 100000);
}

}  // namespace
}  // namespace sluice::net
