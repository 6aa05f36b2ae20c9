#include "source/extensions/filters/listener/address_limit/filter.h"

#include <catch2/catch.hpp>

#include "sluice/extensions/filters/listener/address_limit/v1/address_limit.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/listener/address_limit/factory.h"

namespace sluice::extensions::listener_filters::address_limit {
namespace {

using Proto = sluice::extensions::filters::listener::address_limit::v1::AddressLimit;
using Verdict = filter::ListenerFilter::Verdict;

struct World : config::testing::TestWorld {
  World() { registerFactory(registry); }
  std::shared_ptr<const filter::ListenerFilter> compile(const std::string& yaml) {
    Proto proto;
    const auto* factory = registry.listener_filters.find(Proto::descriptor()->full_name());
    return load("stat_prefix: p\n" + yaml, proto) ? factory->compile(proto, context("l")) : nullptr;
  }
};

struct Client {
  Client(const filter::ListenerFilter& filter, const std::string& ip, observability::StatsCells& cells) {
    accepted.remote = *net::Address::fromIp(ip, 1234);
    served = filter.inspect({}, accepted, cells).verdict == Verdict::kDone;
  }
  filter::Accepted accepted;
  bool served = false;
};

TEST_CASE("an address has so many connections, another one its own, and an end makes room") {
  World world;
  observability::StatsCells cells;
  const auto filter = world.compile("max_connections: 2");
  REQUIRE(filter);
  const Client first(*filter, "10.0.0.1", cells);
  {
    const Client second(*filter, "10.0.0.1", cells);
    CHECK(first.served);
    CHECK(second.served);
    CHECK_FALSE(Client(*filter, "10.0.0.1", cells).served);
    CHECK_FALSE(Client(*filter, "10.0.0.1", cells).served);  // a refusal takes nothing
    CHECK(Client(*filter, "10.0.0.2", cells).served);
  }
  CHECK(Client(*filter, "10.0.0.1", cells).served);
  CHECK(cells.read(world.stats.counter("address_limit.p.refused").id) == 2);
}

TEST_CASE("addresses of one network count as one") {
  World world;
  observability::StatsCells cells;
  const auto by_default = world.compile("max_connections: 1");
  const auto wide = world.compile("max_connections: 1\nipv4_prefix_len: 24");
  REQUIRE(by_default);
  REQUIRE(wide);
  const Client six(*by_default, "2001:db8::1", cells), four(*wide, "10.0.0.1", cells);

  CHECK_FALSE(Client(*by_default, "2001:db8::ffff:1", cells).served);
  CHECK(Client(*by_default, "2001:db8:0:1::1", cells).served);
  CHECK_FALSE(Client(*wide, "10.0.0.200", cells).served);
  CHECK(Client(*wide, "10.0.1.1", cells).served);
}

TEST_CASE("who is exempt, or has no IP address, is not limited") {
  World world;
  observability::StatsCells cells;
  const auto filter = world.compile("max_connections: 1\nexempt: [{address_prefix: 10.0.0.0, prefix_len: 8}]");
  REQUIRE(filter);
  const Client first(*filter, "10.0.0.1", cells), second(*filter, "10.0.0.1", cells);
  CHECK(first.served);
  CHECK(second.served);

  for (int i = 0; i < 2; ++i) {
    filter::Accepted path;
    path.remote = *net::Address::fromUnixPath("/a");
    CHECK(filter->inspect({}, path, cells).verdict == Verdict::kDone);
  }
}

TEST_CASE("a connection that passes two filters counts in both until its end") {
  World world;
  observability::StatsCells cells;
  const auto one = world.compile("max_connections: 1");
  const auto two = world.compile("max_connections: 1");
  REQUIRE(one);
  REQUIRE(two);
  {
    Client client(*one, "10.0.0.1", cells);
    CHECK(two->inspect({}, client.accepted, cells).verdict == Verdict::kDone);
    CHECK_FALSE(Client(*one, "10.0.0.1", cells).served);
    CHECK_FALSE(Client(*two, "10.0.0.1", cells).served);
  }
  CHECK(Client(*one, "10.0.0.1", cells).served);
  CHECK(Client(*two, "10.0.0.1", cells).served);
}

TEST_CASE("no address is counted too low, and many others hardly count") {
  AddressCounts counts(1);
  const auto networkOf = [](uint32_t i) { return net::IpBits{static_cast<uint64_t>(i) << 32, 0}; };
  constexpr uint32_t kClients = 20000;
  uint32_t refused = 0;
  for (uint32_t i = 0; i < kClients; ++i) refused += counts.take(networkOf(i), 10) ? 0 : 1;
  CHECK(refused == 0);

  uint32_t taken = 0;
  while (counts.take(networkOf(7), 10)) ++taken;
  CHECK(taken <= 9);  // it has one already
  CHECK(taken >= 5);
}

TEST_CASE("a limit of none and a range that is none are refused") {
  World world;

  CHECK_FALSE(world.compile("max_connections: 0"));
  CHECK_THAT(world.problems(), Catch::Contains("max_connections"));
  World other;
  CHECK_FALSE(other.compile("max_connections: 1\nexempt: [{address_prefix: nowhere}]"));
  CHECK_THAT(other.problems(), Catch::Contains("exempt[0]"));
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::address_limit
