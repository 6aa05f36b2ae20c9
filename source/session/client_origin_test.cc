#include "source/session/client_origin.h"

#include <catch2/catch.hpp>

namespace sluice::session {
namespace {

using Kind = OriginDetection::Kind;

struct Request {
  explicit Request(std::string_view forwarded_for) {
    if (!forwarded_for.empty()) headers.add("x-forwarded-for", forwarded_for);
  }
  // "ADDRESS", with "!" behind it if it may be internal; "-": nobody.
  std::string find(const OriginDetection& detection, std::string_view peer = "10.0.0.1") {
    const Origin origin = findOrigin({detection}, peer, headers);
    if (!origin.client) return "-";
    return origin.client->ip() + (origin.may_be_internal ? "!" : "");
  }

  base::Arena arena;
  http::RequestHeaders headers{arena};
};

TEST_CASE("hops count from the end of x-forwarded-for") {
  const auto client = [](uint32_t hops, std::string_view list) {
    return Request(list).find({.kind = Kind::kHops, .hops = hops});
  };
  CHECK(client(0, "1.1.1.1") == "1.1.1.1!");
  CHECK(client(0, "1.1.1.1, 2.2.2.2") == "2.2.2.2");
  CHECK(client(1, "1.1.1.1, 2.2.2.2") == "1.1.1.1");
  CHECK(client(2, "1.1.1.1, 2.2.2.2") == "-");
  CHECK(client(0, "1.1.1.1,") == "-");
  CHECK(client(0, "unknown") == "-");
  CHECK(client(0, "") == "-");
  CHECK(client(0, "2001:db8::1") == "2001:db8::1!");
}

TEST_CASE("proxies that are trusted vouch for whom they have seen, as long as each of them is one") {
  const OriginDetection detection{.kind = Kind::kProxies,
                                  .proxies = {*net::Cidr::make("10.0.0.0", 8), *net::Cidr::make("fd00::", 8)}};
  const auto client = [&](std::string_view list, std::string_view peer = "10.0.0.1") {
    return Request(list).find(detection, peer);
  };
  CHECK(client("9.9.9.9, 8.8.8.8") == "8.8.8.8");
  CHECK(client("9.9.9.9, 8.8.8.8, 10.0.0.2") == "8.8.8.8");
  CHECK(client("9.9.9.9, 8.8.8.8, 10.0.0.2, fd00::1") == "8.8.8.8");
  CHECK(client("8.8.8.8") == "8.8.8.8!");
  // All of them are proxies: the first one is as far as it goes.
  CHECK(client("10.0.0.3, 10.0.0.2") == "10.0.0.3");
  // Nobody vouches for what stands before what is no address.
  CHECK(client("8.8.8.8, junk, 10.0.0.2") == "10.0.0.2");
  CHECK(client("8.8.8.8, junk") == "-");
  // A stranger's word.
  CHECK(client("8.8.8.8", "9.9.9.9") == "-");
  CHECK(client("8.8.8.8", "") == "-");
}

TEST_CASE("a long list of proxies is read once") {
  std::string list = "8.8.8.8";
  for (int i = 0; i < 10'000; ++i) list += ",10.0.0.1";
  const OriginDetection detection{.kind = Kind::kProxies, .proxies = {*net::Cidr::make("10.0.0.0", 8)}};
  CHECK(Request(list).find(detection) == "8.8.8.8");
}

TEST_CASE("a header that holds one address names the client, anything else names nobody") {
  const auto origin = [](std::string_view value, uint16_t refusal = 0) {
    Request request("");
    if (!value.empty()) request.headers.add("x-real-ip", value);
    return findOrigin({{.kind = Kind::kHeader, .header = "x-real-ip", .refusal = refusal}}, "", request.headers);
  };
  CHECK(origin("1.2.3.4").client->ip() == "1.2.3.4");
  CHECK(origin("::1").client->ip() == "::1");
  for (const char* value : {"", "1.2.3.4, 5.6.7.8", "a", "1.2.3.4:80"}) {
    INFO(value);
    CHECK_FALSE(origin(value).client);
    CHECK(origin(value, 403).refusal == 403);
  }
  CHECK(origin("1.2.3.4", 403).refusal == 0);
  Request twice("");
  twice.headers.add("x-real-ip", "1.2.3.4");
  twice.headers.add("x-real-ip", "1.2.3.4");
  CHECK(twice.find({.kind = Kind::kHeader, .header = "x-real-ip"}) == "-");
}

TEST_CASE("addresses are internal by the ranges that were named, Unix sockets by themselves") {
  const net::Address unix_socket = *net::Address::fromUnixPath("/run/app.sock");
  const InternalAddresses ranges{{*net::Cidr::make("10.0.0.0", 8)}, false}, sockets{{}, true};
  CHECK(ranges.contains(*net::Address::fromIp("10.1.2.3", 80)));
  CHECK_FALSE(ranges.contains(*net::Address::fromIp("192.168.0.1", 80)));
  CHECK_FALSE(ranges.contains(unix_socket));
  CHECK(sockets.contains(unix_socket));
  CHECK_FALSE(sockets.contains(*net::Address::fromIp("10.1.2.3", 80)));
}

}  // namespace
}  // namespace sluice::session
