#include "source/extensions/filters/listener/original_dst/filter.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::listener_filters::original_dst {
namespace {

net::Address redirected(int, net::Address::Family family) {
  return *net::Address::fromIp(family == net::Address::Family::kIpv6 ? "fd00::5" : "10.0.0.5", 80);
}

net::Address unknown(int, net::Address::Family) {
  return {};
}

filter::Accepted connectionTo(const net::Address& local) {
  filter::Accepted accepted;
  accepted.local = accepted.direct_local = local;
  return accepted;
}

TEST_CASE(
    "a redirected connection is told where it was going to, whichever "
    "the family") {
  observability::StatsCells cells;
  filter::Accepted v4 = connectionTo(*net::Address::fromIp("127.0.0.1", 15001));
  filter::Accepted v6 = connectionTo(*net::Address::fromIp("::1", 15001));
  Filter(&redirected).inspect({}, v4, cells);
  Filter(&redirected).inspect({}, v6, cells);
  CHECK(v4.local.toString() == "10.0.0.5:80");
  CHECK(v4.direct_local.toString() == "127.0.0.1:15001");
  CHECK(v6.local.toString() == "[fd00::5]:80");
}

TEST_CASE(
    "a connection that nobody redirected, or of a Unix socket, keeps its "
    "address") {
  observability::StatsCells cells;
  filter::Accepted direct = connectionTo(*net::Address::fromIp("127.0.0.1", 15001));
  filter::Accepted path = connectionTo(*net::Address::fromUnixPath("/a"));
  Filter(&unknown).inspect({}, direct, cells);
  Filter(&redirected).inspect({}, path, cells);
  CHECK(direct.local.toString() == "127.0.0.1:15001");
  CHECK(path.local.isUnix());
}

TEST_CASE("a connection to an internal listener has the addresses that were handed over") {
  observability::StatsCells cells;
  const net::Address inner = *net::Address::ofListener("inner");
  filter::Accepted nothing = connectionTo(inner), metadata = connectionTo(inner), state = connectionTo(inner);
  stream::madeIn(metadata.state)
      .metadata.set("envoy.filters.listener.original_dst", "local", {std::string("10.0.0.7:80")});
  state.state = metadata.state;
  stream::FilterState& objects = state.state->filter_state;
  objects.set("envoy.filters.listener.original_dst.local_ip", "10.0.0.8:81");
  objects.set("envoy.filters.listener.original_dst.remote_ip", "10.2.2.2:999");

  Filter(&redirected).inspect({}, nothing, cells);
  Filter(&redirected).inspect({}, state, cells);
  objects = {};
  Filter(&redirected).inspect({}, metadata, cells);

  CHECK(nothing.local == inner);
  CHECK(metadata.local.toString() == "10.0.0.7:80");
  CHECK(state.local.toString() == "10.0.0.8:81");
  CHECK(state.remote.toString() == "10.2.2.2:999");
  CHECK(state.direct_local == inner);
}

TEST_CASE("what was handed over and is no address changes nothing") {
  observability::StatsCells cells;
  const net::Address inner = *net::Address::ofListener("inner");
  filter::Accepted accepted = connectionTo(inner);
  stream::madeIn(accepted.state).filter_state.set("envoy.filters.listener.original_dst.local_ip", "/a/path");

  Filter(&redirected).inspect({}, accepted, cells);

  CHECK(accepted.local == inner);
}

TEST_CASE("the kernel's answer for a socket that it did not redirect is none") {
  const net::Fd listening = *net::listenOn(*net::Address::fromIp("127.0.0.1", 0), {});
  CHECK_FALSE(originalDestination(listening.get(), net::Address::Family::kIpv4));
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::original_dst
