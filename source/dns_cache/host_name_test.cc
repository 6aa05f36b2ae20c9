#include "source/dns_cache/host_name.h"

#include <catch2/catch.hpp>

namespace sluice::dns_cache {
namespace {

std::string keyOf(std::string_view authority, uint16_t default_port = 80) {
  const auto name = parseHostName(authority, default_port);
  return name ? name->key : "";
}

TEST_CASE("a host is a name or an address, in lower case, with a port") {
  CHECK(keyOf("A.Example") == "a.example:80");
  CHECK(keyOf("a.example", 443) == "a.example:443");
  CHECK(keyOf("a.example:8080") == "a.example:8080");
  CHECK(keyOf("10.0.0.1:81") == "10.0.0.1:81");
  CHECK(keyOf("[FD00::1]:81") == "[fd00::1]:81");
  CHECK(keyOf("[::1]") == "[::1]:80");
  CHECK(parseHostName("[::1]:81", 80)->host == "::1");
}

TEST_CASE("what the DNS cannot be asked for is no host") {
  for (const std::string& wrong :
       {std::string(), std::string(":80"), std::string("a b"), std::string("a..b"), std::string("a.example:"),
        std::string("a.example:0"), std::string("a.example:65536"), std::string("a.example:8x"), std::string("u@a"),
        std::string("[a.example]"), std::string("[10.0.0.1]"), std::string("[::1"), std::string("fe80::1%eth0"),
        std::string(254, 'a'), std::string("a/b")}) {
    CAPTURE(wrong);
    CHECK(keyOf(wrong) == "");
  }
}

TEST_CASE("an authority names a host by its name, and by its port if it has one") {
  const HostName name = *parseHostName("a.example:8080", 80);
  CHECK(names("A.example:8080", name));
  CHECK(names("a.example", name));
  CHECK_FALSE(names("a.example:80", name));
  CHECK_FALSE(names("b.example:8080", name));
  CHECK_FALSE(names("", name));
  CHECK(names("[::1]:80", *parseHostName("[::1]", 80)));
}

}  // namespace
}  // namespace sluice::dns_cache
