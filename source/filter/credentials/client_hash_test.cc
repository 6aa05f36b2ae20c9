#include "source/filter/credentials/client_hash.h"

#include <catch2/catch.hpp>

namespace sluice::filter {
namespace {

TEST_CASE("a client is the same from each of its ports, and another from another address") {
  CHECK(clientHash("1.2.3.4:80") == clientHash("1.2.3.4:81"));
  CHECK(clientHash("1.2.3.4:80") != clientHash("1.2.3.5:80"));
  CHECK(clientHash("/run/a.sock") != clientHash("/run/b.sock"));
  CHECK(clientHash("") == clientHash(""));
}

TEST_CASE("all addresses that a client of IPv6 has are one") {
  CHECK(clientHash("[2001:db8:1:2::1]:80") == clientHash("[2001:db8:1:2:ffff:1:2:3]:81"));
  CHECK(clientHash("[2001:db8:1:2::1]:80") != clientHash("[2001:db8:1:3::1]:80"));
}

TEST_CASE("addresses of IPv4 that are written as IPv6 are of many clients") {
  CHECK(clientHash("[::ffff:1.2.3.4]:80") == clientHash("[::ffff:1.2.3.4]:81"));
  CHECK(clientHash("[::ffff:1.2.3.4]:80") != clientHash("[::ffff:1.2.3.5]:80"));
  CHECK(clientHash("[64:ff9b::102:304]:80") != clientHash("[64:ff9b::102:305]:80"));
  CHECK(clientHash("[64:ff9b:1::102:304]:80") == clientHash("[64:ff9b:1::102:305]:80"));
}

}  // namespace
}  // namespace sluice::filter
