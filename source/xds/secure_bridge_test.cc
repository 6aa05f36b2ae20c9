#include "source/xds/secure_bridge.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "source/event/polled_loop.h"
#include "source/tls/factory.h"
#include "test/support/tls/certificates.h"

namespace sluice::xds {
namespace {

// One end of a TLS connection with a bridge, and what gRPC would hold of it.
struct Side : SecureBridge::Events {
  Side(event::Loop& loop, net::WorkerBuffers& buffers, net::Fd socket, net::TransportPtr transport)
      : bridge(std::make_unique<SecureBridge>(loop, buffers, std::move(socket), net::Connection::Mode::kAccepted,
                                              std::move(transport), std::chrono::seconds(10), *this)) {}
  ~Side() override { SecureBridge::drop(std::move(bridge)); }

  void onSecured(SecureBridge&, net::Fd fd) override { plain = std::move(fd); }
  void onEnded(SecureBridge&, const std::string& reason) override {
    ended = true;
    why = reason;
    SecureBridge::drop(std::move(bridge));
  }
  void say(std::string_view text) { REQUIRE(send(plain.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0); }
  std::string heard() {
    char bytes[64 * 1024];
    const ssize_t n = recv(plain.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    return n > 0 ? std::string(bytes, static_cast<size_t>(n)) : std::string();
  }

  net::Fd plain;
  bool ended = false;
  std::string why;
  std::unique_ptr<SecureBridge> bridge;
};

struct World {
  World() {
    const test::TestCertificate certificate = authority.issue({.dns_sans = {"control.example"}});
    server_config.common.certificates.push_back(
        {.chain_pem = certificate.chain_pem, .key_pem = certificate.key_pem, .name = "test"});
    client_config.common.validation.emplace().trusted_ca_pem = authority.pem();
  }
  void connect() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    server.emplace(loop, buffers, net::Fd(fds[0]),
                   tls::ServerContext::makeTransport(*tls::ServerContext::create(server_config)));
    client.emplace(loop, buffers, net::Fd(fds[1]),
                   tls::ClientContext::makeTransport(*tls::ClientContext::create(client_config), {}));
  }

  test::TestAuthority authority;
  tls::ServerConfig server_config;
  tls::ClientConfig client_config;
  event::PolledLoop loop;
  net::WorkerBuffers buffers;
  std::optional<Side> server, client;
};

TEST_CASE("bytes pass a bridge both ways and the end of one side ends both") {
  World world;
  world.connect();
  world.loop.until([&] { return world.server->plain.valid() && world.client->plain.valid(); });

  world.client->say("question");
  std::string heard;
  world.loop.until([&] { return !(heard += world.server->heard()).empty(); });
  world.server->say("answer");
  world.server->plain = net::Fd();
  std::string answer;
  world.loop.until([&] {
    answer += world.client->heard();
    return answer == "answer" && world.server->ended;
  });
  char byte;
  world.loop.until([&] { return recv(world.client->plain.get(), &byte, 1, MSG_DONTWAIT) == 0; });
  world.client->plain = net::Fd();
  world.loop.until([&] { return world.client->ended; });

  REQUIRE(heard == "question");
  REQUIRE(world.server->why.empty());
  REQUIRE(world.client->why.empty());
}

TEST_CASE("a handshake that fails is told with its reason by both sides") {
  World world;
  const test::TestAuthority stranger("stranger");
  world.client_config.common.validation->trusted_ca_pem = stranger.pem();
  world.connect();

  world.loop.until([&] { return world.server->ended && world.client->ended; });

  REQUIRE(world.client->why.find("unable to get local issuer certificate") != std::string::npos);
  REQUIRE(world.server->why.find("does not know the authority") != std::string::npos);
  REQUIRE_FALSE(world.client->plain.valid());
}

TEST_CASE("a bridge that is dropped tells nothing and lets go of both sides") {
  World world;
  world.connect();
  world.loop.until([&] { return world.server->plain.valid() && world.client->plain.valid(); });

  SecureBridge::drop(std::move(world.client->bridge));
  world.loop.until([&] { return !world.server->bridge || world.server->ended || world.server->heard().empty(); });
  char byte;
  world.loop.until([&] { return recv(world.server->plain.get(), &byte, 1, MSG_DONTWAIT) == 0; });

  REQUIRE_FALSE(world.client->ended);
}

}  // namespace
}  // namespace sluice::xds
