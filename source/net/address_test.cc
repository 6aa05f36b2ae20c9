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

TEST_CASE("addresses of this machine and of private networks are internal, others are not") {
  for (const char* ip : {"127.0.0.1", "::1", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
                         "192.168.0.0", "192.168.255.255", "fc00::", "fdff::1"}) {
    CAPTURE(ip);
    CHECK(Address::fromIp(ip, 80)->isInternal());
  }
  for (const char* ip : {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
                         "8.8.8.8", "fbff::", "fe00::", "2001:db8::1", "::"}) {
    CAPTURE(ip);
    CHECK_FALSE(Address::fromIp(ip, 80)->isInternal());
  }
  CHECK(Address::fromUnixPath("/run/app.sock")->isInternal());
  CHECK_FALSE(Address().isInternal());
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

TEST_CASE("an internal listener is an address of its name and its endpoint") {
  const Address a = *Address::ofListener("inner", "one");

  CHECK(a.toString() == "envoy://inner/one");
  CHECK(Address::ofListener("inner")->toString() == "envoy://inner/");
  CHECK(a.listenerName() == "inner");
  CHECK(a.listenerEndpoint() == "one");
  CHECK(a.port() == 0);
  CHECK_FALSE(a.isIp());
  CHECK(a.isInternal());
  CHECK(a == *Address::ofListener("inner", "one"));
  CHECK(a.hash() == Address::ofListener("inner", "one")->hash());
  CHECK_FALSE(a == *Address::ofListener("inner"));
  CHECK_FALSE(*Address::ofListener("a", "b") == *Address::ofListener("ab"));
  CHECK_FALSE(Address::ofListener("").ok());
  CHECK_FALSE(Address::ofListener(std::string("a\0b", 3)).ok());
  CHECK(Address::ofListener(std::string(60, 'a'), std::string(40, 'b')).ok());
  CHECK_FALSE(Address::ofListener(std::string(60, 'a'), std::string(41, 'b')).ok());
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
