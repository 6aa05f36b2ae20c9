#include "source/explain/request.h"

#include <catch2/catch.hpp>

namespace sluice::explain {
namespace {

using Catch::Matchers::Contains;

std::string problemOf(const Parameters& parameters) {
  const absl::StatusOr<Request> request = requestOf(parameters);
  return request.ok() ? std::string("fine") : std::string(request.status().message());
}

TEST_CASE("A request line is a method and a URL") {
  const auto request = requestOf({{"request", "POST https://Shop.example:8443/cart?id=1"}});

  REQUIRE(request.ok());
  CHECK(request->method == "POST");
  CHECK(request->scheme == "https");
  CHECK(request->authority == "Shop.example:8443");
  CHECK(request->path == "/cart?id=1");
  CHECK(request->port == 8443);
  CHECK(request->sni == "shop.example");
  CHECK(request->source.toString() == "127.0.0.1:0");
}

TEST_CASE("A URL alone is asked for by GET, without a path for the root") {
  const auto request = requestOf({{"request", "http://shop.example"}});

  REQUIRE(request.ok());
  CHECK(request->method == "GET");
  CHECK(request->path == "/");
  CHECK(request->port == 80);
  CHECK(request->sni.empty());
  CHECK(requestOf({{"request", "http://shop.example?a"}})->path == "/?a");
}

TEST_CASE("CONNECT names a host and a port") {
  const auto request = requestOf({{"request", "CONNECT db.example:5432"}});

  REQUIRE(request.ok());
  CHECK(request->authority == "db.example:5432");
  CHECK(request->path.empty());
  CHECK_THAT(problemOf({{"request", "CONNECT db.example"}}), Contains("host:port"));
}

TEST_CASE("Headers become what a codec makes of them") {
  const auto request = requestOf({{"header", "X-A:  b "},
                                  {"header", "Host: other.example"},
                                  {"header", "Upgrade: WebSocket"},
                                  {"header", "Connection: upgrade"},
                                  {"header", "Keep-Alive: timeout=5"},
                                  {"request", "http://shop.example/"}});

  REQUIRE(request.ok());
  CHECK(request->headers == Parameters{{"x-a", "b"}});
  CHECK(request->authority == "other.example");
  CHECK(request->upgrade == "websocket");
}

TEST_CASE("A host header says another host, but not where the connection goes") {
  const auto request = requestOf({{"request", "https://edge.example:8443/"}, {"header", "host: shop.example:1"}});

  REQUIRE(request.ok());
  CHECK(request->authority == "shop.example:1");
  CHECK(request->port == 8443);
  CHECK(request->sni == "edge.example");
}

TEST_CASE("The first protocol is asked for, but h2c") {
  const auto upgradeOf = [](const std::string& value) {
    return requestOf({{"request", "http://a/"}, {"header", "upgrade: " + value}})->upgrade;
  };
  CHECK(upgradeOf("h2c, WebSocket, other") == "websocket");
  CHECK(upgradeOf("h2c").empty());
}

TEST_CASE("An address has no SNI, unless somebody says one") {
  CHECK(requestOf({{"request", "https://10.0.0.1/"}})->sni.empty());
  CHECK(requestOf({{"request", "https://10.0.0.1/"}, {"sni", "Shop.example"}})->sni == "shop.example");
  CHECK(requestOf({{"request", "http://a/"}, {"source", "10.1.2.3"}})->source.toString() == "10.1.2.3:0");
  CHECK(requestOf({{"request", "http://a/"}, {"source", "[::1]:7"}})->source.toString() == "[::1]:7");
}

TEST_CASE("What is no request is refused with what it should be") {
  struct Case {
    Parameters parameters;
    const char* problem;
  };
  const std::string long_path(kMaxTarget, 'a');
  const Case cases[] = {
      {{}, "request: is missing"},
      {{{"request", ""}}, "has no URL"},
      {{{"request", "GET /path"}}, "does not begin with http:// or https://"},
      {{{"request", "GE(T http://a/"}}, "begins with no method"},
      {{{"request", "GET ftp://a/"}}, "does not begin with http:// or https://"},
      {{{"request", "GET http:///path"}}, "no valid host"},
      {{{"request", "GET http://user@a/"}}, "no valid host"},
      {{{"request", "GET http://a:99999/"}}, "no valid host"},
      {{{"request", "GET http://a/b c"}}, "percent-encode"},
      {{{"request", "GET http://a/" + long_path}}, "longer than"},
      {{{"request", "http://a/"}, {"request", "http://b/"}}, "is there twice"},
      {{{"request", "http://a/"}, {"header", "no colon"}}, "header 1: has no colon"},
      {{{"request", "http://a/"}, {"header", "a b: c"}}, "no valid name"},
      {{{"request", "http://a/"}, {"header", ":path: /"}}, "pseudo-header"},
      {{{"request", "http://a/"}, {"header", "host: a b"}}, "'host' is no valid host"},
      {{{"request", "http://a/"}, {"header", "host: b"}, {"header", "host: b"}}, "header 2: 'host' is there twice"},
      {{{"request", "http://a/"}, {"source", "here"}}, "source: is no IP address"},
      {{{"request", "http://a/"}, {"sni", "a:1"}}, "sni: is no host name"},
      {{{"request", "http://a/"}, {"colour", "red"}}, "known are request, header"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.problem);
    CHECK_THAT(problemOf(each.parameters), Contains(each.problem));
  }
}

TEST_CASE("No error quotes the value of a header") {
  CHECK_THAT(problemOf({{"request", "http://a/"}, {"header", "authorization: se\ncret"}}), !Contains("cret"));
  CHECK_THAT(problemOf({{"request", "http://a/"}, {"header", "secret-without-colon"}}), !Contains("secret"));
}

TEST_CASE("More headers than are taken are refused") {
  Parameters parameters(kMaxHeaders + 1, {"header", "a: b"});
  parameters.emplace_back("request", "http://a/");

  CHECK_THAT(problemOf(parameters), Contains("at most 200"));
}

}  // namespace
}  // namespace sluice::explain
