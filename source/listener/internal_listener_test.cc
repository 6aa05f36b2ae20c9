// Connections that a worker makes to its own internal listeners.
#include <sys/socket.h>

#include "source/listener/test_listener.h"

namespace sluice::listener {
namespace {

struct InternalTest : ListenerTest {
  void setInternal(const std::string& generation, uint64_t hash) {
    auto config = std::make_shared<ListenerConfig>();
    config->name = "inner";
    config->addresses = {*net::Address::ofListener("inner")};
    config->bind = false;
    config->internal = true;
    config->chains = {{"chain", hash, std::make_shared<Server>(generation, all)}};
    config->stats = stats;
    config->limit = limit;
    listeners->set(config, {}, 10s);
  }
  const net::Address inner = *net::Address::ofListener("inner", "one");
};

TEST_CASE("an internal listener gets the other end of a connection at the end of the turn") {
  InternalTest t;
  t.setInternal("a", 1);

  const absl::StatusOr<net::Fd> fd = t.listeners->connectTo(t.inner);
  REQUIRE(fd.ok());
  CHECK(t.all.empty());
  t.loop.turn();

  REQUIRE(t.all.size() == 1);
  CHECK(Server::last_local.toString() == "envoy://inner/one");
  CHECK(Server::last_remote.toString() == "envoy://internal_client_address/");
  CHECK(t.registry.valueOf("cx_total") == 1);
  REQUIRE(send(fd->get(), "x", 1, 0) == 1);
  char byte = 0;
  CHECK(recv(t.all[0]->fd.get(), &byte, 1, 0) == 1);
  CHECK(byte == 'x');
}

TEST_CASE("what is handed over comes with its own connection") {
  InternalTest t;
  t.setInternal("a", 1);
  const auto state = std::make_shared<stream::ConnectionState>();

  const auto with = t.listeners->connectTo(t.inner, 0, state);
  t.loop.turn();
  CHECK(Server::last_state == state);
  const auto without = t.listeners->connectTo(t.inner);
  t.loop.turn();

  CHECK(Server::last_state == nullptr);
}

TEST_CASE("only internal listeners that are there can be connected to") {
  InternalTest t;
  CHECK(t.listeners->connectTo(t.inner).status().message() == "there is no internal listener 'inner'");
  t.set("inner", {}, "a", 1, {});
  CHECK(absl::IsNotFound(t.listeners->connectTo(t.inner).status()));
}

TEST_CASE("an internal listener that leads to itself ends after so many connections, and says so") {
  InternalTest t;
  t.setInternal("a", 1);
  constexpr uint8_t kMost = net::InternalListeners::kMostHops;

  CHECK(t.listeners->connectTo(t.inner, kMost - 1).ok());
  const absl::Status refused = t.listeners->connectTo(t.inner, kMost).status();

  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(refused.message() ==
        "internal listener 'inner' leads to itself: 16 internal listeners were passed on the way to it");
}

TEST_CASE("a connection that is on its way when its listener changes is served") {
  InternalTest t;
  t.setInternal("a", 1);
  const auto first = t.listeners->connectTo(t.inner);
  t.setInternal("b", 1);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  CHECK(t.all[0]->by == "b");
  CHECK(t.all[0]->drained == 0);

  const auto second = t.listeners->connectTo(t.inner);
  t.listeners->remove("inner", 10s);
  t.loop.turn();
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->drained == 1);
  CHECK(t.all[1]->drained == 1);
  CHECK_FALSE(t.listeners->connectTo(t.inner).ok());
}

TEST_CASE("connections to an internal listener count towards its limit") {
  base::SharedLimit limit(1);
  InternalTest t;
  t.limit = &limit;
  t.setInternal("a", 1);
  const auto first = t.listeners->connectTo(t.inner);
  REQUIRE(first.ok());
  const auto second = t.listeners->connectTo(t.inner);
  CHECK(absl::IsUnavailable(second.status()));  // it is not descriptors that are missing
  CHECK(second.status().message() == "internal listener 'inner' is at a limit of connections");
  CHECK(t.registry.valueOf("cx_overflow") == 1);
  t.loop.turn();
  REQUIRE(t.all.size() == 1);
  t.all[0]->closeNow("");
  CHECK(t.listeners->connectTo(t.inner).ok());
}

TEST_CASE("an internal listener serves while the others drain, and holds up nobody") {
  InternalTest t;
  t.setInternal("a", 1);
  const auto before = t.listeners->connectTo(t.inner);
  t.loop.turn();

  t.listeners->askToEnd(AskToEnd::kAll);
  t.listeners->drainAll(1s);
  const auto meanwhile = t.listeners->connectTo(t.inner);
  t.loop.pass(2s);

  REQUIRE(meanwhile.ok());
  REQUIRE(t.all.size() == 2);
  CHECK(t.all[0]->drained + t.all[1]->drained + t.all[1]->to_drain == 0);
  CHECK(t.listeners->connections() == 0);
  CHECK(t.listeners->closeAll().total == 0);
  CHECK(t.all.empty());
}

}  // namespace
}  // namespace sluice::listener
