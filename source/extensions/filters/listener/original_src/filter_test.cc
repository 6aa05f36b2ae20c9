#include "source/extensions/filters/listener/original_src/filter.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::listener_filters::original_src {
namespace {

filter::Accepted acceptedFrom(const net::Address& remote) {
  filter::Accepted accepted;
  accepted.remote = remote;
  return accepted;
}

TEST_CASE("connections to hosts come from the client's address, with its port only if that is wanted") {
  observability::StatsCells cells;
  filter::Accepted without = acceptedFrom(*net::Address::parse("10.1.2.3:99"));
  filter::Accepted with = acceptedFrom(*net::Address::parse("[fd00::1]:99"));

  CHECK(Filter({.mark = 7}).inspect({}, without, cells).verdict == filter::ListenerFilter::Verdict::kDone);
  Filter({.bind_port = true}).inspect({}, with, cells);

  REQUIRE(without.state);
  CHECK(without.state->source == net::BorrowedSource{*net::Address::parse("10.1.2.3:0"), 7});
  REQUIRE(with.state);
  CHECK(with.state->source == net::BorrowedSource{*net::Address::parse("[fd00::1]:99"), 0});
}

TEST_CASE("a client without an IP address has none to give") {
  observability::StatsCells cells;
  filter::Accepted path = acceptedFrom(*net::Address::fromUnixPath("/a"));

  Filter({}).inspect({}, path, cells);

  CHECK(path.state == nullptr);
}

}  // namespace
}  // namespace sluice::extensions::listener_filters::original_src
