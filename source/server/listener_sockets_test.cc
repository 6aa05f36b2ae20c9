// Sockets that listeners take from elsewhere, and give up.
#include <fcntl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "source/server/test_listeners.h"

namespace sluice::server {
namespace {

TEST_CASE("a listener takes sockets that were prepared for it, with what waits in their queues") {
  const uint32_t workers = GENERATE(1, 3);
  ListenerTest t(workers, true);
  t.listeners.startAccepting();
  const net::ListenOptions shared{.reuse_port = true};
  net::Fd first = *net::listenOn(t.any, shared);
  const net::Address at = net::localAddress(first.get());
  t.prepared.sockets[{at, 0}] = std::move(first);
  for (size_t i = 1; i < workers; ++i) t.prepared.sockets[{at, i}] = *net::listenOn(at, shared);
  const net::Fd early(socket(at.socketFamily(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(connect(early.get(), at.sockaddrPointer(), at.sockaddrLength()) == 0);
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.prepared.asked.size() == workers);
  CHECK(t.prepared.sockets.empty());
  t.sync();
  char text[8];
  CHECK(recv(early.get(), text, sizeof(text), 0) == 3);
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

// Gives back what comes.
class EchoService : public filter::UdpService {
 public:
  void onDatagrams(filter::UdpPort& port, std::span<const net::Datagram> datagrams) override {
    for (const net::Datagram& one : datagrams) {
      const std::string_view payload = one.payload;
      port.send(one.peer, one.local, {&payload, 1});
    }
  }
  void onReadError() override {}
  bool update(const filter::UdpFilter&, std::chrono::milliseconds) override { return true; }
  void drain(const filter::UdpPort*, std::chrono::milliseconds) override {}
  size_t sessions() const override { return 0; }
};
struct EchoFilter : filter::UdpFilter {
  std::unique_ptr<filter::UdpService> serve(worker::WorkerServices&) const override {
    return std::make_unique<EchoService>();
  }
};

TEST_CASE("a listener of UDP takes sockets that were prepared for it, with what waits in their queues") {
  ListenerTest t(1, true);
  t.listeners.startAccepting();
  net::Fd prepared = *net::listenOn(t.any, {.datagram = true});
  const net::Address at = net::localAddress(prepared.get());
  t.prepared.sockets[{at, 0}] = std::move(prepared);
  const net::Fd client = *net::connectDatagram(at);
  REQUIRE(send(client.get(), "early", 5, 0) == 5);
  config::CompiledListener compiled;
  compiled.name = compiled.stat_name = "u";
  compiled.addresses = {at};
  compiled.content_hash = 1;
  compiled.udp.filter = std::make_shared<EchoFilter>();
  REQUIRE(t.listeners.set(std::move(compiled), {}, nullptr, false, "1").ok());
  t.sync();
  const timeval limit{10, 0};
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  const int flags = fcntl(client.get(), F_GETFL);
  fcntl(client.get(), F_SETFL, flags & ~O_NONBLOCK);
  char text[16];
  CHECK(recv(client.get(), text, sizeof(text), 0) == 5);
}

TEST_CASE("workers that share a socket take one from the source") {
  ListenerTest t(3, true);
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  t.prepared.sockets[{at, 0}] = *net::listenOn(at, {});
  REQUIRE(t.set("l", at, "one").ok());
  CHECK(t.prepared.asked == std::vector<std::string>{at.toString() + " for 0"});
  for (int i = 0; i < 5; ++i) CHECK(t.ask(at) == "one");
}

TEST_CASE("a listener whose source has no socket is refused with the source's reason") {
  ListenerTest t(1, true);
  t.listeners.startAccepting();
  const net::Address at = unixAddress();
  const absl::Status refused = t.set("l", at, "one");
  CHECK(refused.code() == absl::StatusCode::kNotFound);
  CHECK(std::string(refused.message()) == "listener 'l': nobody has prepared " + at.toString());
  CHECK(t.stats.valueOf("listener_manager.listener_create_failure") == 1);
}

TEST_CASE("a listener that is removed stops accepting, a static one cannot be") {
  ListenerTest t;
  t.listeners.startAccepting();
  const net::Address fixed = unixAddress(), other = unixAddress();
  REQUIRE(t.set("fixed", fixed, "fixed", {}, true).ok());
  REQUIRE(t.set("other", other, "other").ok());
  CHECK_FALSE(t.set("fixed", fixed, "changed").ok());
  t.listeners.remove("fixed");
  t.listeners.remove("other");
  CHECK(t.ask(fixed) == "fixed");
  CHECK(t.ask(other) == "refused");
  REQUIRE(t.set("other", other, "again").ok());
  CHECK(t.ask(other) == "again");
  t.listeners.drainAll();
  CHECK(t.ask(fixed) == "refused");
  CHECK_FALSE(t.set("late", t.any, "late").ok());
}

TEST_CASE("an address can move from a removed listener to another one at once") {
  ListenerTest t(GENERATE(1, 3));
  t.listeners.startAccepting();
  REQUIRE(t.set("old", t.any, "old").ok());
  const net::Address bound = t.boundOf("old");
  CHECK(t.ask(bound) == "old");

  t.listeners.remove("old");
  REQUIRE(t.set("new", bound, "new").ok());

  for (int i = 0; i < 5; ++i) CHECK(t.ask(bound) == "new");
}

}  // namespace
}  // namespace sluice::server
