#include "source/dns_cache/address_guard.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::dns_cache {
namespace {

using Verdict = AddressGuard::Verdict;

net::Address at(std::string_view ip) {
  return *net::Address::fromIp(ip, 80);
}
net::Cidr range(std::string_view first, unsigned length) {
  return *net::Cidr::make(first, length);
}

TEST_CASE("addresses of the public Internet pass") {
  const AddressGuard guard;
  for (const char* ip : {"1.1.1.1",         "8.8.8.8",        "9.255.255.255",        "11.0.0.0",
                         "100.63.255.255",  "100.128.0.0",    "126.255.255.255",      "128.0.0.1",
                         "169.253.255.255", "172.15.255.255", "172.32.0.0",           "192.167.255.255",
                         "192.169.0.0",     "198.17.255.255", "198.20.0.0",           "223.255.255.255",
                         "2606:4700::1111", "2a00::1",        "2001:4860:4860::8888", "64:ff9b::8.8.8.8",
                         "2002:808:808::1", "::ffff:8.8.8.8"}) {
    CAPTURE(ip);
    CHECK(guard.check(at(ip)) == Verdict::kAllowed);
  }
}

TEST_CASE("addresses of this machine, its network and its cloud do not, however they are written") {
  const AddressGuard guard;
  for (const char* ip : {"0.0.0.0",
                         "0.1.2.3",
                         "10.0.0.1",
                         "100.64.0.1",
                         "100.100.100.200",
                         "127.0.0.1",
                         "127.255.255.254",
                         "168.63.129.16",
                         "169.254.169.254",
                         "172.16.0.1",
                         "172.31.255.255",
                         "192.0.0.192",
                         "192.0.2.1",
                         "192.88.99.1",
                         "192.168.0.1",
                         "198.18.0.1",
                         "198.19.255.255",
                         "198.51.100.1",
                         "203.0.113.1",
                         "224.0.0.1",
                         "239.255.255.255",
                         "240.0.0.1",
                         "255.255.255.255",  //
                         "::",
                         "::1",
                         "::127.0.0.1",
                         "::ffff:127.0.0.1",
                         "::ffff:10.0.0.1",  // written as IPv6
                         "::ffff:169.254.169.254",
                         "::ffff:0:127.0.0.1",  //
                         "64:ff9b::127.0.0.1",
                         "64:ff9b::a9fe:a9fe",
                         "64:ff9b:1::1",  // NAT64
                         "2002:7f00:1::1",
                         "2002:a00:1::",
                         "2002:a9fe:a9fe::1",  // 6to4
                         "2001::1",
                         "2001:0:808:808::1",
                         "2001:db8::1",
                         "3fff::1",
                         "100::1",  // Teredo, documentation, discard
                         "5f00::1",
                         "fc00::1",
                         "fd00:ec2::254",
                         "fe80::1",
                         "febf::1",
                         "fec0::1",
                         "ff02::1",
                         "4000::1"}) {
    CAPTURE(ip);
    CHECK(guard.check(at(ip)) == Verdict::kInternal);
  }
  CHECK(guard.check(*net::Address::fromUnixPath("/run/socket")) == Verdict::kInternal);
  CHECK(guard.check(net::Address()) == Verdict::kInternal);
}

TEST_CASE("ranges that are allowed pass, and no more than those") {
  const AddressGuard guard({range("127.0.0.1", 32), range("10.1.0.0", 16), range("fd00::", 8)}, {});
  for (const char* ip : {"127.0.0.1", "::ffff:127.0.0.1", "10.1.255.255", "fd00::1", "8.8.8.8"}) {
    CAPTURE(ip);
    CHECK(guard.check(at(ip)) == Verdict::kAllowed);
  }
  for (const char* ip : {"127.0.0.2", "10.2.0.1", "::1", "fc00::1", "64:ff9b::10.1.0.1", "2002:a01:1::"}) {
    CAPTURE(ip);
    CHECK(guard.check(at(ip)) == Verdict::kInternal);
  }
}

TEST_CASE("what the filter of answers holds is taken out, allowed or not") {
  const AddressGuard guard({range("10.0.0.0", 8)}, {{range("10.1.0.0", 16), range("8.8.8.0", 24)}});
  CHECK(guard.check(at("10.1.0.1")) == Verdict::kFiltered);
  CHECK(guard.check(at("::ffff:10.1.0.1")) == Verdict::kFiltered);
  CHECK(guard.check(at("8.8.8.8")) == Verdict::kFiltered);
  CHECK(guard.check(at("64:ff9b::8.8.8.8")) == Verdict::kFiltered);
  CHECK(guard.check(at("2002:808:808::1")) == Verdict::kFiltered);
  CHECK(guard.check(at("64:ff9b::8.8.9.8")) == Verdict::kAllowed);
  CHECK(guard.check(at("10.2.0.1")) == Verdict::kAllowed);

  const AddressGuard inverted({}, {{range("8.8.8.0", 24), range("127.0.0.0", 8)}, true});
  CHECK(inverted.check(at("1.1.1.1")) == Verdict::kFiltered);
  CHECK(inverted.check(at("8.8.8.8")) == Verdict::kAllowed);
  CHECK(inverted.check(at("64:ff9b::8.8.8.8")) == Verdict::kFiltered);
  CHECK(inverted.check(at("127.0.0.1")) == Verdict::kInternal);
}

}  // namespace
}  // namespace sluice::dns_cache
