#include "source/net/family_order.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::net {
namespace {

// "4a" is the first address of IPv4, "6b" the second one of IPv6, "ua" a Unix socket.
Address addressOf(const std::string& name) {
  if (name[0] == 'u') return *Address::fromUnixPath("@" + name);
  return *Address::fromIp((name[0] == '4' ? "10.0.0." : "fd00::") + std::to_string(1 + name[1] - 'a'), 80);
}

std::string ordered(const std::vector<std::string>& names, const FamilyOrder& order = {}) {
  std::vector<Address> addresses;
  for (const std::string& name : names) addresses.push_back(addressOf(name));
  std::string out;
  for (const Address& address : inOrder(addresses, order)) {
    for (const std::string& name : names) {
      if (addressOf(name) != address) continue;
      out += (out.empty() ? "" : " ") + name;
      break;
    }
  }
  return out;
}

constexpr auto kV4 = Address::Family::kIpv4;
constexpr auto kV6 = Address::Family::kIpv6;

TEST_CASE("families take turns, beginning with that of the first address") {
  CHECK(ordered({"4a", "4b", "6a", "6b"}) == "4a 6a 4b 6b");
  CHECK(ordered({"6a", "4a", "4b", "4c"}) == "6a 4a 4b 4c");
  CHECK(ordered({"4a", "4b", "4c", "6a"}) == "4a 6a 4b 4c");
  CHECK(ordered({"4a", "4b"}) == "4a 4b");
  CHECK(ordered({}) == "");
}

TEST_CASE("the first family may be another one, and have more turns") {
  CHECK(ordered({"4a", "4b", "6a", "6b"}, {kV6, 1}) == "6a 4a 6b 4b");
  CHECK(ordered({"4a", "4b", "6a", "6b", "6c"}, {kV6, 2}) == "6a 6b 4a 6c 4b");
  CHECK(ordered({"4a", "4b", "4c", "6a"}, {kV4, 9}) == "4a 4b 4c 6a");
  CHECK(ordered({"4a", "4b"}, {kV6, 1}) == "4a 4b");
}

TEST_CASE("what is no IP address is a family, too, and nothing is tried twice") {
  CHECK(ordered({"ua", "4a", "6a"}) == "ua 4a 6a");
  CHECK(ordered({"4a", "ua", "4b"}) == "4a ua 4b");
  CHECK(ordered({"4a", "4b", "6a", "6b", "ua"}) == "4a 6a ua 4b 6b");
  CHECK(ordered({"4a", "4b", "ua"}, {kV6, 1}) == "4a ua 4b");
  CHECK(ordered({"4a", "4b", "4a", "6a", "6a"}) == "4a 6a 4b");
}

}  // namespace
}  // namespace sluice::net
