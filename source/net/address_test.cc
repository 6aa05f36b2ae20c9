#include "source/net/address.h"

#include <catch2/catch.hpp>

#include "absl/hash/hash.h"

namespace sluice::net {
namespace {

TEST_CASE("an address is printed as it was written") {
  for (const char* text : {"1.2.3.4:80", "0.0.0.0:0", "[::1]:443", "[2001:db8::7]:65535", "/run/app.sock", "@name"}) {
    const auto address = Address::parse(text);

    REQUIRE(address.ok());
    CHECK(address->toString() == text);
  }
}

TEST_CASE("what is no address is refused") {
  for (const char* text : {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:+1", "1.2.3:80", "::1:80", "[::1]",
                           "[1.2.3.4]:80", "name:80", "[fe80::1%eth0]:80", "1.2.3.4:80 ", "[]:80", "01.2.3.4:80"}) {
    CHECK_FALSE(Address::parse(text).ok());
  }
  CHECK_FALSE(Address::fromUnixPath(std::string(108, 'a')).ok());
  CHECK_FALSE(Address::fromUnixPath(std::string("/a\0b", 4)).ok());
  CHECK(Address::fromUnixPath(std::string(107, 'a')).ok());
}

TEST_CASE("a literal IP needs no resolver and a name does") {
  CHECK(Address::fromIp("127.0.0.1", 80)->isLoopback());
  CHECK(Address::fromIp("::", 80)->isAny());
  CHECK_FALSE(Address::fromIp("localhost", 80));
  CHECK_FALSE(Address::fromIp("", 80));
}

TEST_CASE("addresses are equal by family, bytes and port") {
  const Address a = *Address::fromIp("10.0.0.1", 80);

  CHECK(a == *Address::parse("10.0.0.1:80"));
  CHECK(a.hash() == Address::parse("10.0.0.1:80")->hash());
  CHECK(absl::Hash<Address>{}(a) == absl::Hash<Address>{}(*Address::parse("10.0.0.1:80")));
  CHECK_FALSE(a == a.withPort(81));
  CHECK_FALSE(a == *Address::fromIp("10.0.0.2", 80));
  CHECK_FALSE(a == Address());
  CHECK((a < a.withPort(81)));
  CHECK_FALSE((a < a));
}

TEST_CASE("an address survives the trip through a sockaddr") {
  for (const char* text : {"1.2.3.4:80", "[::1]:443", "/run/app.sock", "@name"}) {
    const Address address = *Address::parse(text);

    const Address copy = Address::fromSockaddr(address.sockaddrPointer(), address.sockaddrLength());

    CHECK(copy == address);
    CHECK(copy.toString() == text);
  }
  const sockaddr_un unnamed{AF_UNIX, {}};
  CHECK(Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t)).toString().empty());
}

}  // namespace
}  // namespace sluice::net
