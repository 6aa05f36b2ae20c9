#include "source/tls/transport.h"

#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "source/tls/test_pair.h"

namespace sluice::tls {
namespace {

TEST_CASE("client and server shake hands and talk both ways") {
  TestWorld world;
  TestPair pair(world);

  pair.shake();
  pair.client->connection.write("hello");
  pair.server->connection.write("hi");
  world.loop.turn();

  INFO(pair.server->failure() << " / " << pair.client->failure());
  REQUIRE(pair.up());
  REQUIRE(pair.server->got == "hello");
  REQUIRE(pair.client->got == "hi");
  REQUIRE(pair.client->info().version == "TLSv1.3");
  REQUIRE(pair.client->info().peer_validated);
  REQUIRE(pair.client->info().peer.dns_sans == std::vector<std::string>{"a.example.com"});
  REQUIRE(pair.server->info().server_name == "a.example.com");
  REQUIRE(pair.server->info().local.dns_sans == std::vector<std::string>{"a.example.com"});
  REQUIRE_FALSE(pair.server->info().peer_presented);
  REQUIRE(world.serverCount("handshake") == 1);
  REQUIRE(world.serverCount("no_certificate") == 1);
  REQUIRE(world.clientCount("handshake") == 1);
}

TEST_CASE("a server name is in lower case, however the client writes it") {
  TestWorld world;
  world.client_config.sni = "A.Example.COM";
  TestPair pair(world);

  pair.shake();

  REQUIRE(pair.up());
  REQUIRE(pair.server->connection.transport()->serverName() == "a.example.com");
  REQUIRE(pair.server->info().server_name == "a.example.com");
}

TEST_CASE("large transfers both ways through full sockets arrive whole") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  TestWorld world;
  world.client_config.common.max_version = version;
  TestPair pair(world);
  pair.shake();
  std::string big(5 << 20, '\0');
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<char>(i * 2654435761u >> 13);

  pair.client->credit = 0;
  pair.server->connection.write(big);
  pair.client->connection.write(big);
  REQUIRE(pair.server->connection.pendingBytes() > 0);
  REQUIRE(pair.client->connection.pendingBytes() > 0);
  world.loop.turn();
  pair.client->credit = 1 << 30;
  pair.client->connection.resumeReading();
  world.loop.until([&] { return pair.client->got.size() == big.size() && pair.server->got.size() == big.size(); });

  REQUIRE(pair.client->got == big);
  REQUIRE(pair.server->got == big);
  REQUIRE(pair.server->drained == 1);
}

TEST_CASE("no more than the credit is delivered and what is held comes when there is more") {
  TestWorld world;
  TestPair pair(world);
  pair.shake();
  pair.server->takes_credit = true;
  pair.server->credit = 10;
  pair.client->connection.write(std::string(40000, 'x'));
  pair.client->connection.shutdownWrites();

  world.loop.turn();
  REQUIRE(pair.server->got.size() == 10);
  for (int i = 0; i < 5; ++i) {
    pair.server->credit = 9998;
    pair.server->connection.resumeReading();
    world.loop.turn();
  }

  REQUIRE(pair.server->got.size() == 40000);
  REQUIRE(pair.server->ended);
  REQUIRE_FALSE(pair.server->connection.truncated());
}

TEST_CASE("a FIN without close_notify is told as a truncation, one behind it is not") {
  const bool proper = GENERATE(false, true);
  TestWorld world;
  TestPair pair(world);
  pair.shake();
  pair.client->connection.write("last");
  world.loop.turn();

  if (proper) {
    pair.client->connection.close();
  } else {
    shutdown(pair.client->connection.fd(), SHUT_WR);
  }
  world.loop.turn();

  REQUIRE(pair.server->got == "last");
  REQUIRE(pair.server->ended);
  REQUIRE(pair.server->connection.truncated() == !proper);
}

TEST_CASE("one side may end and still receive") {
  TestWorld world;
  TestPair pair(world);
  pair.shake();

  pair.client->connection.write("request");
  pair.client->connection.shutdownWrites();
  world.loop.turn();
  pair.server->connection.write(std::string(300000, 'r'));
  pair.server->connection.shutdownWrites();
  world.loop.until([&] { return pair.client->ended; });

  REQUIRE(pair.server->ended);
  REQUIRE(pair.client->got.size() == 300000);
  REQUIRE_FALSE(pair.client->connection.truncated());
}

// Passes bytes between two sockets one at a time.
class Trickle {
 public:
  Trickle(event::PolledLoop& loop, int a, int b) : loop_(loop), a_(a), b_(b) {}
  ~Trickle() {
    close(a_);
    close(b_);
  }
  // How many bytes were moved until nothing more came.
  size_t run() {
    size_t moved = 0;
    for (;;) {
      loop_.turn();
      const size_t now = move(a_, b_) + move(b_, a_);
      if (now == 0) return moved;
      moved += now;
    }
  }

 private:
  static size_t move(int from, int to) {
    char byte;
    return recv(from, &byte, 1, MSG_DONTWAIT) == 1 && send(to, &byte, 1, MSG_NOSIGNAL) == 1 ? 1 : 0;
  }
  event::PolledLoop& loop_;
  int a_, b_;
};

TEST_CASE("a handshake and data that trickle in byte by byte are whole") {
  const Version version = GENERATE(Version::kTls12, Version::kTls13);
  TestWorld world;
  world.server_config.common.max_version = version;
  const auto server_context = world.server();
  const auto client_context = world.client();
  int left[2], right[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left) == 0);
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right) == 0);
  TestEnd server(world.loop, world.buffers, net::Fd(left[0]), ServerContext::makeTransport(server_context));
  TestEnd client(world.loop, world.buffers, net::Fd(right[0]), ClientContext::makeTransport(client_context, {}));
  Trickle trickle(world.loop, left[1], right[1]);

  trickle.run();
  client.connection.write("a request");
  server.connection.write("a response");
  trickle.run();

  REQUIRE(server.connected);
  REQUIRE(client.connected);
  REQUIRE(server.got == "a request");
  REQUIRE(client.got == "a response");
}

TEST_CASE("plain HTTP on a TLS port fails with the library's reason and with words") {
  TestWorld world;
  int fds[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  TestEnd server(world.loop, world.buffers, net::Fd(fds[0]), ServerContext::makeTransport(world.server()));
  const net::Fd peer(fds[1]);
  const std::string request = GENERATE("GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n");

  REQUIRE(send(peer.get(), request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
  world.loop.turn();

  REQUIRE(server.broken);
  REQUIRE(server.reason == net::CloseReason::kHandshakeFailed);
  INFO(server.failure());
  REQUIRE(server.failure().starts_with("TLS_error:|268435"));
  REQUIRE(server.failure().find(":SSL routines:OPENSSL_internal:") != std::string::npos);
  REQUIRE(server.failure().find(request[0] == 'G' ? "plain HTTP on a TLS port" : "does not speak TLS") !=
          std::string::npos);
  REQUIRE(world.serverCount("connection_error") == 1);
}

TEST_CASE("a peer that leaves during the handshake is told apart") {
  TestWorld world;
  TestPair pair(world);

  shutdown(pair.client->connection.fd(), SHUT_RDWR);
  pair.client->connection.close(true);
  world.loop.turn();

  REQUIRE(pair.server->broken);
  REQUIRE(pair.server->reason == net::CloseReason::kHandshakeFailed);
}

TEST_CASE("connections that have begun outlive the rotation of their context") {
  TestWorld world;
  ServerTransportFactory factory("secret 'x' has not been delivered");
  REQUIRE(factory.notReady() == "secret 'x' has not been delivered");
  factory.set(world.server());
  REQUIRE(factory.notReady().empty());
  TestPair old(world, factory.context(), world.client());
  old.shake();

  world.server_config.common.certificates[0] =
      TestWorld::certificateConfig(world.authority.issue({.dns_sans = {"a.example.com", "new.example.com"}}));
  factory.set(world.server());
  TestPair fresh(world, factory.context(), world.client());
  fresh.shake();
  old.client->connection.write("still here");
  world.loop.turn();

  REQUIRE(old.server->got == "still here");
  REQUIRE(old.client->info().peer.dns_sans.size() == 1);
  REQUIRE(fresh.client->info().peer.dns_sans.size() == 2);
}

// One connection by hand, without a loop: what a worker of its own thread does. True if both sides agreed and a word
// went through.
bool talkOnce(const net::TransportFactory& servers, const net::TransportFactory& clients, net::WorkerBuffers& buffers) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return false;
  const net::Fd a(fds[0]), b(fds[1]);
  const net::TransportPtr server = servers.make({});
  const net::TransportPtr client = clients.make({});
  const net::Transport::Io server_io{a.get(), buffers}, client_io{b.get(), buffers};
  using Status = net::Transport::Status;
  for (int i = 0; i < 10; ++i) {
    const Status c = client->handshake(client_io);
    const Status s = server->handshake(server_io);
    if (c == Status::kFailed || s == Status::kFailed) return false;
    if (c != Status::kDone || s != Status::kDone) continue;
    char word[] = "word";
    const iovec vector{word, 4};
    char got[4];
    return server->write(server_io, &vector, 1).bytes == 4 && client->read(client_io, got, 4).bytes == 4;
  }
  return false;
}

TEST_CASE("contexts are shared by threads and rotated under load without a failed handshake") {
  constexpr int kThreads = 4, kConnections = 50;
  TestWorld world;
  world.client_config.max_session_keys = 4;
  ServerTransportFactory servers;
  ClientTransportFactory clients;
  servers.set(world.server());
  clients.set(world.client());
  std::atomic<int> good = 0, running = kThreads;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, cells = &world.stats.makeCells()] {
      net::WorkerBuffers buffers;
      buffers.cells = cells;
      for (int k = 0; k < kConnections; ++k) good += talkOnce(servers, clients, buffers) ? 1 : 0;
      --running;
    });
  }

  int rotations = 0;
  while (running > 0) {
    // A half-written file makes no context and so changes nothing.
    ServerConfig broken = world.server_config;
    broken.common.certificates[0].chain_pem.resize(100);
    if (auto made = ServerContext::create(broken); made.ok()) servers.set(*made);
    servers.set(world.server());
    clients.set(world.client());
    ++rotations;
  }
  for (std::thread& thread : threads) thread.join();

  REQUIRE(rotations > 0);
  REQUIRE(good == kThreads * kConnections);
  REQUIRE(world.serverCount("handshake") == kThreads * kConnections);
}

TEST_CASE("a small write after the handshake is one small record, a long one grows to full records") {
  TestWorld world;
  TestPair pair(world);
  pair.shake();
  world.loop.turn();
  // The bytes on the wire, taken from under the client.
  const auto wire = [&] {
    std::vector<size_t> records;
    std::string bytes(400000, '\0');
    const ssize_t n = recv(pair.client->connection.fd(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    for (size_t at = 0; n > 0 && at + 5 <= static_cast<size_t>(n);) {
      records.push_back(static_cast<uint8_t>(bytes[at + 3]) << 8 | static_cast<uint8_t>(bytes[at + 4]));
      at += 5 + records.back();
    }
    return records;
  };

  pair.server->connection.write(std::string(100000, 'x'));
  const std::vector<size_t> records = wire();

  REQUIRE(records.size() > 16);
  size_t first = 0;
  while (records[first] < 1000) ++first;  // tickets
  REQUIRE(records[first] < 1460);
  REQUIRE(records[first + 14] > 16000);
}

TEST_CASE("an idle connection of a server takes at most 4 KiB") {
  constexpr size_t kConnections = 64;
  TestWorld world;
  const auto server_context = world.server();
  const auto client_context = world.client();
  std::vector<std::unique_ptr<TestPair>> pairs;
  for (size_t i = 0; i < kConnections; ++i) {
    pairs.push_back(std::make_unique<TestPair>(world, server_context, client_context));
    pairs.back()->shake();
    pairs.back()->client->connection.write(std::string(20000, 'q'));
    pairs.back()->server->connection.write(std::string(20000, 'r'));
    world.loop.turn();
    REQUIRE(pairs.back()->client->got.size() == 20000);
    std::string().swap(pairs.back()->server->got);
  }

  const size_t before = mallinfo2().uordblks;
  for (const auto& pair : pairs) pair->server.reset();
  const size_t after = mallinfo2().uordblks;

  // Allocators of sanitizers count nothing here.
  INFO("bytes of an idle server connection: " << (before - after) / kConnections);
  REQUIRE(before - after <= kConnections * 4096);
}

}  // namespace
}  // namespace sluice::tls
