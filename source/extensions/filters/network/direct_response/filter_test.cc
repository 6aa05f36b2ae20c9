#include "source/extensions/filters/network/direct_response/filter.h"

#include <catch2/catch.hpp>

#include "source/filter/test_network.h"

using namespace std::chrono_literals;

namespace sluice::extensions::network_filters::direct_response {
namespace {

TEST_CASE("the response comes whole and the client's end ends the connection") {
  filter::TestNetwork t;
  const DirectResponse direct("moved to example.com\n");
  filter::NetworkClient& client = t.connect(direct);
  client.send("ignored");
  t.loop.turn();

  CHECK(client.take() == "moved to example.com\n");
  CHECK(client.closed);
  CHECK(!t.list.empty());
  client.finish();
  t.loop.turn();

  CHECK(t.list.empty());
}

TEST_CASE("a client that never ends is let go after a second") {
  filter::TestNetwork t;
  const DirectResponse direct("x");
  t.connect(direct);
  t.loop.pass(999ms);
  CHECK(!t.list.empty());

  t.loop.pass(1ms);

  CHECK(t.list.empty());
}

TEST_CASE("a long response reaches a slow reader whole, and one that reads nothing is given up") {
  filter::TestNetwork t;
  const DirectResponse direct(std::string(4 << 20, 'x'));
  filter::NetworkClient& slow = t.connect(direct);
  size_t got = 0;
  REQUIRE(t.loop.until([&] {
    got += slow.take().size();
    return slow.closed;
  }));
  CHECK(got == 4 << 20);

  t.connect(direct);
  t.loop.pass(21s);

  CHECK(t.list.empty());
}

TEST_CASE("the response goes through filters in front, and waits for those that wait") {
  const DirectResponse direct("moved");
  CHECK(filter::testing::runNetworkFilters(
            [&](filter::Calls& calls) { return std::make_unique<filter::TerminalBed>(calls, direct); }, "abcde",
            "moved") == "");
}

}  // namespace
}  // namespace sluice::extensions::network_filters::direct_response
