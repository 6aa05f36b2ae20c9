#include "source/base/host_port.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

void check(std::string_view text, std::string_view host, std::string_view port, bool has_port = true) {
  CAPTURE(text);
  const HostPort parts = splitHostPort(text);
  CHECK(parts.host == host);
  CHECK(parts.port == port);
  CHECK(parts.has_port == has_port);
}

TEST_CASE("what follows the last colon is the port") {
  check("a:80", "a", "80");
  check("1.2.3.4:x", "1.2.3.4", "x");
  check("a:", "a", "");
  check(":80", "", "80");
  check("a", "a", "", false);
  check("", "", "", false);
}

TEST_CASE("colons of an IPv6 address are no port's, in brackets or without") {
  check("[::1]:80", "[::1]", "80");
  check("[::1]", "[::1]", "", false);
  check("::1", "::1", "", false);
  check("2001:db8::1:80", "2001:db8::1:80", "", false);
}

TEST_CASE("a host is given without its brackets, if both are there") {
  CHECK(splitHostPort("[::1]:80").bareHost() == "::1");
  CHECK(splitHostPort("a:80").bareHost() == "a");
  CHECK(splitHostPort("[a").bareHost() == "[a");
  CHECK(splitHostPort("]").bareHost() == "]");
}

TEST_CASE("addresses of Unix sockets and internal listeners have no port") {
  for (const char* text : {"", "/run/a:80", "@a:80", "envoy://inner/one"}) CHECK(isAddressWithoutPort(text));
  for (const char* text : {"1.2.3.4:80", "[::1]:80", "envoy:80"}) CHECK_FALSE(isAddressWithoutPort(text));
}

}  // namespace
}  // namespace sluice::base
