#include "source/net/cidr.h"

#include <catch2/catch.hpp>

namespace sluice::net {
namespace {

Address ip(std::string_view text) {
  return *Address::fromIp(text, 80);
}

TEST_CASE("a range holds the addresses that share its first bits") {
  const Cidr ten = *Cidr::make("10.1.2.3", 8);
  CHECK(ten.contains(ip("10.255.0.1")));
  CHECK_FALSE(ten.contains(ip("11.0.0.1")));
  CHECK_FALSE(ten.contains(ip("a00::")));
  const Cidr odd = *Cidr::make("2001:db8::ff", 121);
  CHECK(odd.contains(ip("2001:db8::80")));
  CHECK_FALSE(odd.contains(ip("2001:db8::7f")));
  CHECK(Cidr::make("1.2.3.4", 32)->contains(ip("1.2.3.4")));
  CHECK_FALSE(Cidr::make("1.2.3.4", 32)->contains(ip("1.2.3.5")));
  CHECK(Cidr::make("::", 0)->contains(ip("::1")));
  CHECK(Cidr::make("::1", 64)->contains(ip("::ffff:0:0:1")));
  CHECK_FALSE(Cidr::make("::1", 64)->contains(ip("0:0:0:1::")));
}

TEST_CASE("a range needs an address and a prefix that fits") {
  CHECK_FALSE(Cidr::make("1.2.3.4", 33));
  CHECK_FALSE(Cidr::make("::", 129));
  CHECK_FALSE(Cidr::make("host", 1));
}

TEST_CASE("the longest prefix wins, each family for itself") {
  CidrMap<int> map;
  map.at(*Cidr::make("10.0.0.0", 8)) = 8;
  map.at(*Cidr::make("10.1.0.0", 16)) = 16;
  map.at(*Cidr::make("10.1.1.1", 32)) = 32;
  map.at(Cidr::all(Address::Family::kIpv6)) = 6;
  CHECK(*map.find(ip("10.9.9.9")) == 8);
  CHECK(*map.find(ip("10.1.9.9")) == 16);
  CHECK(*map.find(ip("10.1.1.1")) == 32);
  CHECK(map.find(ip("11.0.0.0")) == nullptr);
  CHECK(*map.find(ip("::")) == 6);
  CHECK(map.find(*Address::fromUnixPath("/a")) == nullptr);
  map.at(Cidr::all(Address::Family::kIpv4)) = 0;
  CHECK(*map.find(*Address::fromUnixPath("/a")) == 0);
  map.at(*Cidr::make("10.0.0.0", 8)) = 9;
  CHECK(*map.find(ip("10.9.9.9")) == 9);
}

}  // namespace
}  // namespace sluice::net
