// Network filters above TLS: they see what the client means, behind its handshake.
#include <catch2/catch.hpp>

#include "source/filter/test_mirror.h"
#include "source/filter/test_network.h"
#include "source/tls/test_pair.h"
#include "test/support/filter/network_filters.h"

using namespace std::chrono_literals;

namespace sluice::listener {
namespace {

namespace testing = filter::testing;

struct TlsTest {
  explicit TlsTest(filter::NetworkFilters filters) {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    client.emplace(world.loop, world.buffers, net::Fd(fds[1]),
                   tls::ClientContext::makeTransport(world.client(), world.options));
    filter::Accepted accepted;
    accepted.fd = net::Fd(fds[0]);
    accepted.transport = tls::ServerContext::makeTransport(world.server());
    accepted.filters = std::make_shared<const filter::NetworkFilters>(std::move(filters));
    mirror.serve(std::move(accepted), network.worker, network.list);
    turn();
  }
  void turn() {
    for (int i = 0; i < 10; ++i) {
      world.loop.turn();
      network.loop.turn();
    }
  }

  filter::Heard heard;
  filter::MirrorFilter mirror{heard};
  tls::TestWorld world;
  filter::TestNetwork network;
  std::optional<tls::TestEnd> client;
};

TEST_CASE("above TLS filters change the client's bytes both ways, and its end follows their last ones") {
  TlsTest t({testing::doubling()});
  t.client->connection.write("aabbcc");
  t.client->connection.shutdownWrites();
  t.turn();

  CHECK(t.heard.data == "abc");
  CHECK(t.client->got == "aabbcc.");
  CHECK(t.client->ended);
  CHECK(!t.client->connection.truncated());
  CHECK(t.network.list.empty());
}

TEST_CASE("above TLS a filter that waits lets the handshake be, and what came behind it is served later") {
  TlsTest t({testing::waitsForCall(), testing::pausing()});
  CHECK(t.client->connected);
  CHECK(t.network.calls.waiting() == 1);
  t.client->connection.write("early");
  t.turn();
  CHECK(t.heard.admitted == 0);

  while (t.network.calls.waiting() > 0) {
    t.network.calls.answer({.status = 200});
    t.turn();
  }

  CHECK(t.heard.data == "early");
  CHECK(t.client->got == "early");
}

TEST_CASE("above TLS much goes through filters in both directions, whole") {
  TlsTest t({testing::doubling()});
  const std::string much(3 << 20, 'x');
  t.client->connection.write(much);
  t.client->connection.shutdownWrites();

  for (int i = 0; i < 10000 && !t.client->ended; ++i) t.turn();

  CHECK(t.heard.data.size() == much.size() / 2);
  CHECK(t.client->got.size() == much.size() + 1);
}

}  // namespace
}  // namespace sluice::listener
