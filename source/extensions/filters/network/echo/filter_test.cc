#include "source/extensions/filters/network/echo/filter.h"

#include <catch2/catch.hpp>

#include "source/filter/test_network.h"

namespace sluice::extensions::network_filters::echo {
namespace {

TEST_CASE("what comes goes back, and the end of it too") {
  filter::TestNetwork t;
  const EchoFilter echo;
  filter::NetworkClient& client = t.connect(echo);
  client.send("hello");
  t.loop.turn();
  CHECK(client.take() == "hello");

  client.send("bye");
  client.finish();
  t.loop.turn();

  CHECK(client.take() == "bye");
  CHECK(client.closed);
  CHECK(t.list.empty());
}

TEST_CASE("a client that does not read is not read, and loses nothing") {
  filter::TestNetwork t;
  const EchoFilter echo;
  filter::NetworkClient& client = t.connect(echo);
  const std::string piece(64 * 1024, 'x');
  for (size_t before = SIZE_MAX; before != client.sent;) {
    before = client.sent;
    client.send(piece);
    t.loop.turn();
  }
  client.finish();

  size_t got = 0;
  REQUIRE(t.loop.until([&] {
    got += client.take().size();
    return client.closed;
  }));

  CHECK(got == client.sent);
}

TEST_CASE("what filters in front do to the bytes, and how long they wait, is nothing to it") {
  const EchoFilter echo;
  CHECK(filter::testing::runNetworkFilters(
            [&](filter::Calls& calls) { return std::make_unique<filter::TerminalBed>(calls, echo); }, "hello",
            "hello") == "");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::echo
