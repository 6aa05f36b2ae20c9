#include "source/session/request_policy.h"

#include <catch2/catch.hpp>
#include <memory>
#include <utility>

#include "source/match/tree.h"
#include "source/net/cidr.h"

namespace sluice::session {
namespace {

std::string normal(std::string_view path, bool merge_slashes = false) {
  base::Arena arena;
  // A copy of exactly this size, so that a sanitizer sees any look beyond it.
  const std::vector<char> exact(path.begin(), path.end());
  const auto out = normalizePath(arena, {exact.data(), exact.size()}, merge_slashes);
  return out ? std::string(*out) : "refused";
}

TEST_CASE("dot segments are taken out, plain or encoded (P1)") {
  CHECK(normal("/public/../admin") == "/admin");
  CHECK(normal("/public/%2e%2e/admin") == "/admin");
  CHECK(normal("/public/%2E%2e/admin") == "/admin");
  CHECK(normal("/public/.%2e/admin") == "/admin");
  CHECK(normal("/public/%2e./admin") == "/admin");
  CHECK(normal("/a/./b") == "/a/b");
  CHECK(normal("/a/%2e/b") == "/a/b");
  CHECK(normal("/a/b/..") == "/a/");
  CHECK(normal("/a/b/.") == "/a/b/");
  CHECK(normal("/a/b/../") == "/a/");
  CHECK(normal("/a/../..") == "refused");
  CHECK(normal("/..") == "refused");
  CHECK(normal("/../a") == "refused");
  CHECK(normal("/a/..") == "/");
  CHECK(normal("/.") == "/");
  CHECK(normal("/") == "/");
  CHECK(normal("/...") == "/...");
  CHECK(normal("/.a/..b/c.") == "/.a/..b/c.");
  CHECK(normal("/a/b/c/../../../d") == "/d");
}

TEST_CASE("backslashes are slashes, encoded slashes stay, slashes merge on request (P2)") {
  CHECK(normal("/public\\..\\admin") == "/admin");
  CHECK(normal("/a\\b") == "/a/b");
  CHECK(normal("/a%2Fb") == "/a%2Fb");
  CHECK(normal("/a%5cb") == "/a%5cb");
  CHECK(normal("/a%2f..%2fb") == "/a%2f..%2fb");
  CHECK(normal("//a///b//") == "//a///b//");
  CHECK(normal("//a///b//", true) == "/a/b/");
  CHECK(normal("///", true) == "/");
  CHECK(normal("//..//a", true) == "refused");
  CHECK(normal("/a//../b") == "/a/b");
}

TEST_CASE("dot segments with parameters are dot segments (P3)") {
  CHECK(normal("/user/..;x=1/admin") == "/admin");
  CHECK(normal("/user/.;x/admin") == "/user/admin");
  CHECK(normal("/user/%2e%2e;x/admin") == "/admin");
  CHECK(normal("/user/..;") == "/");
  CHECK(normal("/user/..%3bx/admin") == "/admin");
  CHECK(normal("/user/.%3B/admin") == "/user/admin");
  CHECK(normal("/..;/a") == "refused");
  CHECK(normal("/user/...;x/admin") == "/user/...;x/admin");
  CHECK(normal("/admin;x/b") == "/admin;x/b");
}

TEST_CASE("segments of parameters only are empty ones where those are merged (P3)") {
  CHECK(normal("/;x=1/admin", true) == "/admin");
  CHECK(normal("/public/..;x//;y/admin", true) == "/admin");
  CHECK(normal("//;/admin", true) == "/admin");
  CHECK(normal("/%61;x/;y/b", true) == "/a;x/b");
  CHECK(normal("/a/;x", true) == "/a/;x");
  CHECK(normal("/;x/..", true) == "refused");
  CHECK(normal("/;x=1/admin") == "/;x=1/admin");
  CHECK(normal("/a%3b/b", true) == "/a%3b/b");
  CHECK(normal("/%3Bx/admin", true) == "/admin");
}

TEST_CASE("the query is left alone (P1, P2)") {
  CHECK(normal("/a/../b?x=/../%2e%41\\") == "/b?x=/../%2e%41\\");
  CHECK(normal("/a?x=../..") == "/a?x=../..");
  CHECK(normal("/?") == "/?");
  CHECK(normal("/a/..?") == "/?");
  CHECK(normal("*") == "*");
}

TEST_CASE("nothing is decoded twice, and what is no encoding is refused (P5)") {
  CHECK(normal("/%252e%252e/a") == "/%252e%252e/a");
  CHECK(normal("/a/%25%32%65/b") == "/a/%252e/b");
  CHECK(normal("/%41%7a%30%2D%5f%7E") == "/Az0-_~");
  CHECK(normal("/%00") == "refused");
  CHECK(normal("/a%00b") == "refused");
  CHECK(normal("/a%2500") == "/a%2500");
  CHECK(normal("/%") == "refused");
  CHECK(normal("/%2") == "refused");
  CHECK(normal("/%g0") == "refused");
  CHECK(normal("/%%32e") == "refused");
  CHECK(normal("/%c0%ae%c0%ae/a") == "/%c0%ae%c0%ae/a");  // overlong dots are no dots
  CHECK(normal("/\xc3\xa4/%e4") == "/\xc3\xa4/%e4");
}

TEST_CASE("a normal path stays normal: normalising twice changes nothing") {
  base::Random random(7);
  const std::string_view alphabet[] = {"/", ".", "..",  "%2e", "%2f", "%5c", "\\",
                                       ";", "a", "%41", "%",   "%25", "?",   "//"};
  for (int i = 0; i < 20'000; ++i) {
    std::string path = "/";
    for (uint64_t n = random.below(9); n > 0; --n) path += alphabet[random.below(std::size(alphabet))];
    for (const bool merge : {false, true}) {
      const std::string once = normal(path, merge);
      if (once == "refused") continue;
      INFO(path);
      REQUIRE(normal(once, merge) == once);
      const std::string only_path = once.substr(0, once.find('?'));
      REQUIRE(only_path[0] == '/');
      REQUIRE((only_path + "/").find("/../") == std::string::npos);
      REQUIRE((only_path + "/").find("/./") == std::string::npos);
      REQUIRE(only_path.find('\\') == std::string::npos);
      if (merge) REQUIRE(only_path.find("//") == std::string::npos);
    }
  }
}

struct Policy {
  Policy() {
    headers.method = "GET";
    headers.path = "/";
    headers.authority = "a";
  }
  // "" or "STATUS DETAILS".
  std::string apply() {
    const auto reply = applyRequestPolicy(settings, peer, random, headers, info);
    if (!reply) return "";
    std::string out = std::to_string(reply->status) + " " + std::string(reply->details);
    for (const auto& [name, value] : reply->headers) out += " " + name + "=" + value;
    return out;
  }
  std::string field(std::string_view name) const { return std::string(headers.getAll(name).value_or("-")); }

  base::Arena arena;
  HttpSettings settings;
  PeerText peer{"1.2.3.4:5", "1.2.3.4", "10.0.0.1:80", 80};
  base::Random random{1};
  http::RequestHeaders headers{arena};
  stream::StreamInfo info;
};

TEST_CASE("what cannot be served is refused") {
  Policy no_host;
  no_host.headers.authority = "";
  CHECK(no_host.apply() == "400 missing_host_header");
  Policy old;
  old.headers.authority = "";
  old.headers.protocol = http::Protocol::kHttp10;
  CHECK(old.apply() == "");
}

TEST_CASE("a request of HTTP/1.0 that names no host is for the configured one") {
  const bool named = GENERATE(false, true);
  Policy p;
  p.settings.default_host = "a.example";
  p.headers.authority = named ? "b.example" : "";
  p.headers.protocol = http::Protocol::kHttp10;

  CHECK(p.apply() == "");

  CHECK(p.headers.authority == (named ? "b.example" : "a.example"));
}

TEST_CASE("what a request came through of internal listeners is heard from them only") {
  Policy p;
  p.headers.add("x-sluice-internal-hops", GENERATE(as<std::string>(), "7", "1"));
  p.peer.internal_hops = GENERATE(uint8_t(0), uint8_t(2));
  const std::string told = p.field("x-sluice-internal-hops");

  CHECK(p.apply() == "");

  if (p.peer.internal_hops == 0) {
    CHECK(p.info.internal_hops == 0);
  } else {
    CHECK(p.info.internal_hops == (told == "7" ? 7 : 2));
    CHECK(p.field("x-sluice-internal-hops") == "-");
  }
}

TEST_CASE("the path is normalised if so configured, each part of it by itself") {
  Policy p;
  p.headers.path = "/a/..//b%2f\\?x";
  SECTION("not at all") {
    CHECK(p.apply() == "");
    CHECK(p.headers.path == "/a/..//b%2f\\?x");
  }
  SECTION("segments") {
    p.settings.normalize_path = true;
    CHECK(p.apply() == "");
    CHECK(p.headers.path == "//b%2f/?x");
  }
  SECTION("slashes") {
    p.settings.merge_slashes = true;
    CHECK(p.apply() == "");
    CHECK(p.headers.path == "/a/../b%2f\\?x");
  }
  SECTION("segments and slashes") {
    p.settings.normalize_path = p.settings.merge_slashes = true;
    CHECK(p.apply() == "");
    CHECK(p.headers.path == "/b%2f/?x");
  }
  SECTION("climbing") {
    p.settings.normalize_path = true;
    p.headers.path = "/a/../../b";
    CHECK(p.apply() == "400 path_normalization_failed");
  }
}

TEST_CASE("encoded slashes are kept, refused, redirected or decoded (P2)") {
  Policy p;
  p.settings.normalize_path = true;
  for (const char* path : {"/a%2F..%2Fb", "/a%2f..%5Cb", "/a%5c..%5cb"}) {
    INFO(path);
    p.headers.path = path;
    p.settings.escaped_slashes = EscapedSlashes::kKeep;
    CHECK(p.apply() == "");
    CHECK(p.headers.path == path);
    p.settings.escaped_slashes = EscapedSlashes::kReject;
    CHECK(p.apply() == "400 path_with_escaped_slashes");
    p.settings.escaped_slashes = EscapedSlashes::kUnescapeAndRedirect;
    CHECK(p.apply() == "307 path_normalization_redirect location=/b");
    p.headers.path = path;
    p.settings.escaped_slashes = EscapedSlashes::kUnescapeAndForward;
    CHECK(p.apply() == "");
    CHECK(p.headers.path == "/b");
  }
  p.headers.path = "/a%252fb?x=%2f";
  CHECK(p.apply() == "");
  CHECK(p.headers.path == "/a%252fb?x=%2f");
  p.settings.escaped_slashes = EscapedSlashes::kReject;
  CHECK(p.apply() == "");
}

TEST_CASE("a hop is internal if it is near, and none is at an edge") {
  const auto internal = [](bool near, bool edge) {
    HttpSettings settings;
    settings.use_remote_address = edge;
    PeerText peer;
    peer.near = near;
    return isInternalHop(settings, peer);
  };
  CHECK(internal(true, false));
  CHECK_FALSE(internal(false, false));
  CHECK_FALSE(internal(true, true));
}

TEST_CASE("QUERY says what its content is") {
  Policy p;
  p.headers.method = "QUERY";
  CHECK(p.apply() == "400 query_missing_content_type");
  p.headers.add("content-type", "application/sql");
  CHECK(p.apply() == "");
}

TEST_CASE("a redirect to the path without encoded slashes never names another host") {
  Policy p;
  p.settings.normalize_path = GENERATE(false, true);
  p.settings.merge_slashes = GENERATE(false, true);
  p.settings.escaped_slashes = EscapedSlashes::kUnescapeAndRedirect;
  for (const char* path :
       {"/%2Fb.com/x", "/%5Cb.com/x", "//%2F%5cb.com/x", "/./%2fb.com/x", "/a/..%2F%2Fb.com/x", "/%2F/%2Fb.com/x"}) {
    INFO(path);
    p.headers.path = path;
    CHECK(p.apply() == "307 path_normalization_redirect location=/b.com/x");
  }
}

TEST_CASE("a port is taken off the host if so configured") {
  for (const auto& [host, any, matching] :
       std::vector<std::tuple<const char*, const char*, const char*>>{{"a", "a", "a"},
                                                                      {"a:80", "a", "a"},
                                                                      {"a:81", "a", "a:81"},
                                                                      {"[::1]:80", "[::1]", "[::1]"},
                                                                      {"[::1]", "[::1]", "[::1]"},
                                                                      {"a:x", "a:x", "a:x"},
                                                                      {"a:", "a:", "a:"}}) {
    Policy p;
    p.headers.authority = host;
    p.settings.strip_any_host_port = true;
    p.apply();
    CHECK(p.headers.authority == any);
    p.headers.authority = host;
    p.settings.strip_any_host_port = false;
    p.settings.strip_matching_host_port = true;
    p.apply();
    CHECK(p.headers.authority == matching);
  }
}

TEST_CASE("names with underscores pass, go, or refuse the request (H3)") {
  Policy p;
  p.headers.add("x-user", "a");
  p.headers.add("x_user", "b");
  SECTION("pass") {
    CHECK(p.apply() == "");
    CHECK(p.field("x_user") == "b");
  }
  SECTION("go") {
    p.settings.underscores = Underscores::kDrop;
    CHECK(p.apply() == "");
    CHECK(p.field("x_user") == "-");
    CHECK(p.field("x-user") == "a");
  }
  SECTION("refuse") {
    p.settings.underscores = Underscores::kReject;
    CHECK(p.apply() == "400 unexpected_underscore");
  }
}

TEST_CASE("at the edge the peer's address is added, and what only proxies may say is made new (H1)") {
  Policy p;
  p.settings.use_remote_address = true;
  p.headers.add("x-forwarded-for", "6.6.6.6");
  p.headers.add("x-forwarded-proto", "https");
  p.headers.add("x-forwarded-client-cert", "By=evil");
  p.headers.add("x-envoy-internal", "true");
  p.headers.add("x-envoy-original-path", "/admin");
  p.headers.add("x-envoy-anything", "1");
  p.headers.add("x-envoy-upstream-stream-duration-ms", "1");
  p.headers.add("x-request-id", "mine");
  CHECK(p.apply() == "");
  CHECK(p.field("x-forwarded-for") == "6.6.6.6,1.2.3.4");
  CHECK(p.field("x-forwarded-proto") == "http");
  CHECK(p.field("x-forwarded-client-cert") == "-");
  CHECK(p.field("x-envoy-internal") == "-");
  CHECK(p.field("x-envoy-original-path") == "-");
  CHECK(p.field("x-envoy-anything") == "-");
  CHECK(p.field("x-envoy-upstream-stream-duration-ms") == "-");
  CHECK(p.field("x-request-id") != "mine");
  CHECK(p.info.downstream_remote_address == "1.2.3.4:5");
}

TEST_CASE("a client cannot speak for a certificate behind another proxy either (H1)") {
  Policy p;
  p.headers.add("x-forwarded-client-cert", "By=evil");
  p.apply();
  CHECK(p.field("x-forwarded-client-cert") == "-");
}

TEST_CASE("the client's address is the one that the trusted proxies vouch for") {
  const auto remote = [](bool use_remote, uint32_t hops, std::vector<std::string> lists) {
    Policy p;
    p.settings.use_remote_address = use_remote;
    p.settings.xff_num_trusted_hops = hops;
    for (const std::string& list : lists) p.headers.add("x-forwarded-for", list);
    p.apply();
    return std::string(p.info.downstream_remote_address);
  };
  CHECK(remote(true, 0, {"9.9.9.9"}) == "1.2.3.4:5");
  CHECK(remote(true, 1, {"9.9.9.9, 8.8.8.8"}) == "8.8.8.8:0");
  CHECK(remote(true, 2, {"9.9.9.9, 8.8.8.8"}) == "9.9.9.9:0");
  CHECK(remote(true, 2, {"9.9.9.9", "8.8.8.8"}) == "9.9.9.9:0");
  CHECK(remote(true, 3, {"9.9.9.9, 8.8.8.8"}) == "1.2.3.4:5");
  CHECK(remote(false, 0, {"9.9.9.9,8.8.8.8"}) == "8.8.8.8:0");
  CHECK(remote(false, 1, {"9.9.9.9,8.8.8.8"}) == "9.9.9.9:0");
  CHECK(remote(false, 2, {"9.9.9.9,8.8.8.8"}) == "1.2.3.4:5");
  CHECK(remote(false, 0, {}) == "1.2.3.4:5");
  CHECK(remote(false, 0, {"::1"}) == "[::1]:0");
  // What is no address is nobody's.
  CHECK(remote(false, 0, {"9.9.9.9, evil\" x"}) == "1.2.3.4:5");
  CHECK(remote(false, 0, {"unknown"}) == "1.2.3.4:5");
}

TEST_CASE("x-forwarded-for is left alone where we are not the edge, or told so") {
  Policy inside;
  inside.headers.add("x-forwarded-for", "9.9.9.9");
  inside.headers.add("x-forwarded-proto", "https");
  inside.apply();
  CHECK(inside.field("x-forwarded-for") == "9.9.9.9");
  CHECK(inside.field("x-forwarded-proto") == "https");
  Policy skips;
  skips.settings.use_remote_address = skips.settings.skip_xff_append = true;
  skips.apply();
  CHECK(skips.field("x-forwarded-for") == "-");
}

TEST_CASE("the proxy names itself in via, behind those before it") {
  Policy first, second;
  first.settings.via = second.settings.via = "1.1 px";
  first.apply();
  CHECK(first.field("via") == "1.1 px");
  second.headers.add("via", "1.0 before");
  second.apply();
  CHECK(second.field("via") == "1.0 before,1.1 px");
}

const InternalAddresses kPrivate{{*net::Cidr::make("10.0.0.0", 8), *net::Cidr::make("fd00::", 8)}, false};

TEST_CASE("only internal callers may tell the router how to treat a request") {
  const auto kept = [](bool edge, const char* forwarded_for, bool near = true, bool configured = true) {
    Policy p;
    p.peer.near = near;
    p.settings.use_remote_address = edge;
    if (configured) p.settings.internal_addresses = kPrivate;
    if (forwarded_for != nullptr) p.headers.add("x-forwarded-for", forwarded_for);
    p.headers.add("x-envoy-internal", "mine");
    for (const char* name :
         {"x-envoy-upstream-rq-timeout-ms", "x-envoy-max-retries", "x-envoy-expected-rq-timeout-ms"}) {
      p.headers.add(name, "1");
    }
    p.apply();
    const bool all = p.field("x-envoy-upstream-rq-timeout-ms") == "1" && p.field("x-envoy-max-retries") == "1" &&
                     p.field("x-envoy-expected-rq-timeout-ms") == "1";
    CHECK(p.field("x-envoy-internal") == (all ? "true" : "-"));
    return all;
  };
  CHECK(kept(false, nullptr));
  CHECK(kept(false, "10.1.2.3"));
  CHECK(kept(false, "fd00::1"));
  CHECK_FALSE(kept(false, "8.8.8.8"));
  CHECK_FALSE(kept(false, "192.168.1.1"));  // private, but not one of those that were named
  CHECK_FALSE(kept(false, "2001:db8::1"));
  CHECK_FALSE(kept(false, "8.8.8.8, 10.1.2.3"));  // a service that speaks for a stranger
  CHECK_FALSE(kept(false, "10.1.2.3, 8.8.8.8"));
  CHECK_FALSE(kept(false, "unknown"));
  // At the edge the peer itself has to be internal, and to speak for nobody.
  CHECK(kept(true, nullptr));
  CHECK_FALSE(kept(true, "10.1.2.3"));
  CHECK_FALSE(kept(true, nullptr, false));
  // Who connects from elsewhere may write what it likes.
  CHECK_FALSE(kept(false, nullptr, false));
  CHECK_FALSE(kept(false, "10.1.2.3", false));
  // Nobody is internal who was not named.
  CHECK_FALSE(kept(false, nullptr, true, false));
  CHECK_FALSE(kept(false, "10.1.2.3", true, false));
  CHECK_FALSE(kept(true, nullptr, true, false));
}

TEST_CASE("an internal service at the edge keeps its request id") {
  Policy p;
  p.settings.use_remote_address = true;
  p.settings.internal_addresses = kPrivate;
  p.peer.near = GENERATE(false, true);
  p.headers.add("x-request-id", "mine");
  p.apply();
  CHECK((p.field("x-request-id") == "mine") == p.peer.near);
}

TEST_CASE("the first detection that finds somebody says who the client is, or refuses") {
  Policy p;
  p.settings.origin_detections = {{.kind = OriginDetection::Kind::kHeader, .header = "x-real-ip"},
                                  {.kind = OriginDetection::Kind::kHops, .adds_peer = true}};
  SECTION("the header") {
    p.headers.add("x-real-ip", "9.9.9.9");
    p.headers.add("x-forwarded-for", "8.8.8.8");
    CHECK(p.apply() == "");
    CHECK(p.info.downstream_remote_address == "9.9.9.9:0");
    CHECK(p.field("x-forwarded-for") == "8.8.8.8");
  }
  SECTION("the list, behind a header that names nobody") {
    p.headers.add("x-real-ip", "nobody");
    p.headers.add("x-forwarded-for", "8.8.8.8");
    CHECK(p.apply() == "");
    CHECK(p.info.downstream_remote_address == "8.8.8.8:0");
    CHECK(p.field("x-forwarded-for") == "8.8.8.8,1.2.3.4");
  }
  SECTION("nobody") {
    CHECK(p.apply() == "");
    CHECK(p.info.downstream_remote_address == "1.2.3.4:5");
  }
  SECTION("refused") {
    p.settings.origin_detections[0].refusal = 401;
    p.headers.add("x-forwarded-for", "8.8.8.8");
    CHECK(p.apply() == "401 rejecting_because_detection_failed");
  }
}

TEST_CASE("a client that was detected is internal only if its peer is, too") {
  const auto internal = [](bool near, bool trusted, const char* address) {
    Policy p;
    p.peer.near = near;
    p.settings.internal_addresses = kPrivate;
    p.settings.origin_detections = {
        {.kind = OriginDetection::Kind::kHeader, .header = "x-real-ip", .may_be_internal = trusted}};
    p.headers.add("x-real-ip", address);
    p.headers.add("x-envoy-max-retries", "9");
    p.apply();
    return p.field("x-envoy-internal") == "true" && p.field("x-envoy-max-retries") == "9";
  };
  CHECK(internal(true, true, "10.1.1.1"));
  CHECK_FALSE(internal(false, true, "10.1.1.1"));
  CHECK_FALSE(internal(true, false, "10.1.1.1"));
  CHECK_FALSE(internal(true, true, "8.8.8.8"));
}

TEST_CASE("the peer's address is added in the form that is asked for") {
  const auto added = [](std::string_view ip) {
    Policy p;
    p.peer.remote_ip = ip;
    p.settings.use_remote_address = p.settings.mapped_ipv4 = true;
    p.apply();
    return p.field("x-forwarded-for");
  };
  CHECK(added("1.2.3.4") == "::ffff:1.2.3.4");
  CHECK(added("2001:db8::1") == "2001:db8::1");
  CHECK(added("") == "-");  // a Unix socket
}

TEST_CASE("x-forwarded-port is the port that the request came to, whatever a stranger says") {
  Policy p;
  p.settings.append_forwarded_port = true;
  p.headers.add("x-forwarded-port", "1");
  SECTION("at the edge") {
    p.settings.use_remote_address = true;
    p.apply();
    CHECK(p.field("x-forwarded-port") == "80");
  }
  SECTION("behind a proxy") {
    p.apply();
    CHECK(p.field("x-forwarded-port") == "1");
  }
  SECTION("where nobody has said it") {
    p.headers.remove("x-forwarded-port");
    p.apply();
    CHECK(p.field("x-forwarded-port") == "80");
  }
}

TEST_CASE("the port that a PROXY protocol header tells may say what the client speaks") {
  const auto scheme = [](uint16_t port, bool redirected, bool tls = false) {
    Policy p;
    p.settings.use_remote_address = true;
    p.settings.forward_proto = {.https = {443}, .http = {8080}};
    p.peer.local_port = port;
    p.peer.redirected = redirected;
    p.peer.trusted_tls = tls;
    p.headers.add("x-forwarded-proto", "evil");
    p.apply();
    CHECK(p.headers.scheme == p.field("x-forwarded-proto"));
    return std::string(p.headers.scheme);
  };
  CHECK(scheme(443, true) == "https");
  CHECK(scheme(443, false) == "http");
  CHECK(scheme(8080, true, true) == "http");
  CHECK(scheme(8080, false, true) == "https");
  CHECK(scheme(9999, true, true) == "https");
}

TEST_CASE("a scheme that is configured stands in place of what is so and of what is said") {
  Policy p;
  p.settings.scheme = "https";
  p.headers.scheme = "http";
  p.headers.add("x-forwarded-proto", "http");
  p.apply();
  CHECK(p.headers.scheme == "https");
  CHECK(p.field("x-forwarded-proto") == "https");
}

TEST_CASE("who forwards a request is named, and stands in for a user agent that is missing") {
  Policy p;
  p.settings.user_agent = std::make_shared<UserAgent>(UserAgent{"front", "front-7"});
  p.settings.use_remote_address = true;
  p.headers.add("x-envoy-downstream-service-cluster", "evil");
  SECTION("without one") {
    p.apply();
    CHECK(p.field("user-agent") == "front");
  }
  SECTION("with one") {
    p.headers.add("user-agent", "curl");
    p.apply();
    CHECK(p.field("user-agent") == "curl");
  }
  CHECK(p.field("x-envoy-downstream-service-cluster") == "front");
  CHECK(p.field("x-envoy-downstream-service-node") == "front-7");
}

TEST_CASE("early changes come first: what they add is judged like the client's own") {
  Policy p;
  p.settings.use_remote_address = true;
  route::HeaderMutations change;
  change.add = {{.name = "x-team", .value = "a"}, {.name = "x-envoy-max-retries", .value = "9"}};
  change.remove_matching = {{.kind = match::StringMatcher::Kind::kPrefix, .text = "x-debug"}};
  p.settings.early_mutations.push_back(std::move(change));
  p.headers.add("x-debug-a", "1");
  p.headers.add("x-debug-b", "1");
  p.apply();
  CHECK(p.field("x-debug-a") == "-");
  CHECK(p.field("x-debug-b") == "-");
  CHECK(p.field("x-team") == "a");
  CHECK(p.field("x-envoy-max-retries") == "-");
}

TEST_CASE("names that early changes add are not judged like a client's") {
  Policy p;
  p.settings.use_remote_address = p.settings.strip_forwarded = true;
  p.settings.underscores = Underscores::kReject;
  route::HeaderMutations change;
  change.add = {{.name = "x-real-ip", .value = "ours"}, {.name = "x_team", .value = "a"}};
  p.settings.early_mutations.push_back(std::move(change));
  p.headers.add("x-real-ip", "theirs");
  CHECK(p.apply() == "");
  CHECK(p.field("x-real-ip") == "ours");
  CHECK(p.field("x_team") == "a");
}

TEST_CASE("a dot at the end of the host is taken off if so configured") {
  const auto stripped = [](std::string_view host, bool port = false) {
    Policy p;
    p.headers.authority = host;
    p.settings.strip_trailing_host_dot = true;
    p.settings.strip_any_host_port = port;
    p.apply();
    return std::string(p.headers.authority);
  };
  CHECK(stripped("a.com.") == "a.com");
  CHECK(stripped("a.com.:80") == "a.com:80");
  CHECK(stripped("a.com.:80", true) == "a.com");
  CHECK(stripped("a.com") == "a.com");
  CHECK(stripped(".") == ".");
  CHECK(stripped("[::1]:80") == "[::1]:80");
}

TEST_CASE("a proxy that is trusted may say what the client spoke") {
  Policy p;
  p.settings.use_remote_address = true;
  p.settings.xff_num_trusted_hops = 1;
  p.headers.add("x-forwarded-proto", "https");
  p.apply();
  CHECK(p.field("x-forwarded-proto") == "https");
  Policy tls;
  tls.settings.use_remote_address = true;
  tls.peer.trusted_tls = true;
  tls.apply();
  CHECK(tls.field("x-forwarded-proto") == "https");
  CHECK(tls.headers.scheme == "https");
}

TEST_CASE("request ids are made where there is none, kept inside, replaced at the edge") {
  Policy none;
  none.apply();
  const std::string made = none.field("x-request-id");
  CHECK(made.size() == 36);
  CHECK(made[14] == '4');
  CHECK(std::string_view("89ab").find(made[19]) != std::string_view::npos);
  CHECK(none.info.request_id == made);

  Policy inside;
  inside.headers.add("x-request-id", "mine");
  inside.apply();
  CHECK(inside.field("x-request-id") == "mine");
  CHECK(inside.info.request_id == "mine");

  Policy edge;
  edge.settings.use_remote_address = true;
  edge.headers.add("x-request-id", "mine");
  edge.apply();
  CHECK(edge.field("x-request-id").size() == 36);

  Policy keeps;
  keeps.settings.use_remote_address = keeps.settings.preserve_external_request_id = true;
  keeps.headers.add("x-request-id", "mine");
  keeps.apply();
  CHECK(keeps.field("x-request-id") == "mine");

  Policy off;
  off.settings.generate_request_id = false;
  off.apply();
  CHECK(off.field("x-request-id") == "-");
}

TEST_CASE("request ids differ") {
  base::Arena arena;
  base::Random random(1);
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.emplace_back(makeRequestId(arena, random));
  std::sort(ids.begin(), ids.end());
  CHECK(std::unique(ids.begin(), ids.end()) == ids.end());
}

struct FakeTls : net::Transport {
  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kEnd}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info; }
  net::TlsInfo info;
};

// The header that goes on, from a client that says "Hash=theirs" of itself.
std::string forwarded(ForwardClientCert forward, bool presents, net::TlsInfo tls = {}, ClientCertSettings more = {}) {
  FakeTls transport;
  transport.info = std::move(tls);
  transport.info.peer_presented = presents;
  if (presents) transport.info.peer.sha256 = "00ff";
  Policy p;
  p.settings.client_cert = more;
  p.settings.client_cert.forward = forward;
  p.peer.transport = &transport;
  p.headers.add("x-forwarded-client-cert", "Hash=theirs");
  p.apply();
  return p.field("x-forwarded-client-cert");
}

TEST_CASE("what a client says of certificates is believed only as configured (H1)") {
  using Forward = ForwardClientCert;
  CHECK(forwarded(Forward::kSanitize, true) == "-");
  CHECK(forwarded(Forward::kForwardOnly, true) == "Hash=theirs");
  CHECK(forwarded(Forward::kForwardOnly, false) == "-");
  CHECK(forwarded(Forward::kAppendForward, true) == "Hash=theirs,Hash=00ff");
  CHECK(forwarded(Forward::kAppendForward, false) == "-");
  CHECK(forwarded(Forward::kSanitizeSet, true) == "Hash=00ff");
  CHECK(forwarded(Forward::kSanitizeSet, false) == "-");
  CHECK(forwarded(Forward::kAlwaysForwardOnly, false) == "Hash=theirs");

  Policy plain;
  plain.settings.client_cert.forward = Forward::kForwardOnly;
  plain.headers.add("x-forwarded-client-cert", "Hash=theirs");
  plain.apply();
  CHECK(plain.field("x-forwarded-client-cert") == "-");
}

// Takes requests to one host.
struct ForHost : match::Input {
  uint8_t needs() const override { return match::kRequest; }
  match::Value get(const match::Data& data, match::Scratch&) const override {
    return {.text = data.request->authority};
  }
};

TEST_CASE("what becomes of certificates may be chosen for a request, and is as for all where nothing is chosen") {
  match::ExactMap hosts{.input = std::make_shared<ForHost>(), .entries = {}};
  hosts.entries["chosen.example"].action = 1;
  auto matcher = std::make_shared<match::Matcher>();
  matcher->how = std::move(hosts);
  matcher->needs = match::kRequest;
  auto choice = std::make_shared<ClientCertChoice>();
  choice->matcher = std::move(matcher);
  choice->settings = {{.forward = ForwardClientCert::kSanitize}, {.forward = ForwardClientCert::kAlwaysForwardOnly}};
  const bool chosen = GENERATE(false, true);
  Policy p;
  p.settings.client_cert_choice = std::move(choice);
  p.headers.authority = chosen ? "chosen.example" : "other.example";
  p.headers.add("x-forwarded-client-cert", "Hash=theirs");

  CHECK(p.apply() == "");

  CHECK(p.field("x-forwarded-client-cert") == (chosen ? "Hash=theirs" : "-"));
}

TEST_CASE("the client's certificate is told with what was asked for, and its names cannot forge keys") {
  net::TlsInfo tls;
  tls.local.uri_sans = {"spiffe://here"};
  tls.peer.subject = "CN=a\\\"b,O=c";
  tls.peer.issuer = "CN=ca";
  tls.peer.pem = "PEM";
  tls.peer.chain_pem = "PEMPEM";
  tls.peer.uri_sans = {"spiffe://x", "evil;By=me,Hash=\"0"};
  tls.peer.dns_sans = {"a.example"};
  ClientCertSettings all;
  all.subject = all.issuer = all.cert = all.chain = all.dns = all.uri = true;

  CHECK(forwarded(ForwardClientCert::kSanitizeSet, true, tls, all) ==
        "By=spiffe://here;Hash=00ff;Cert=\"PEM\";Chain=\"PEMPEM\";Subject=\"CN=a\\\"b,O=c\";Issuer=\"CN=ca\";"
        "URI=spiffe://x;URI=\"evil;By=me,Hash=\\\"0\";DNS=a.example");
}

}  // namespace
}  // namespace sluice::session
