#include "source/extensions/matching/input_matchers/ip/ip.h"

#include <catch2/catch.hpp>

namespace sluice::extensions::matching::input_matchers::ip {
namespace {

TEST_CASE("an address matches if one of the ranges holds it, as an address or as text") {
  const IpMatcher matcher({*net::Cidr::make("10.0.0.0", 8), *net::Cidr::make("fd00::", 8)});
  const net::Address inside = *net::Address::fromIp("10.1.2.3", 80);

  CHECK(matcher.matches({.text = "10.1.2.3", .address = &inside}));
  CHECK(matcher.matches({.text = "10.1.2.3"}));
  CHECK(matcher.matches({.text = "fd12::1"}));
  CHECK_FALSE(matcher.matches({.text = "11.0.0.1"}));
  CHECK_FALSE(matcher.matches({.text = "fe80::1"}));
}

TEST_CASE("what is no address matches no range, not even that of all addresses") {
  const IpMatcher matcher({net::Cidr::all(net::Address::Family::kIpv4)});

  CHECK_FALSE(matcher.matches({}));
  CHECK_FALSE(matcher.matches({.text = "localhost"}));
  CHECK_FALSE(matcher.matches({.text = "10.1.2.3:80"}));
}

}  // namespace
}  // namespace sluice::extensions::matching::input_matchers::ip
