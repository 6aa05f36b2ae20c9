#include "source/extensions/filters/http/stateful_session/session_value.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

TEST_CASE("a cookie is the message that Envoy makes") {
  const std::string text = encodeCookie({"10.0.0.1:80", std::chrono::seconds(1700000060)});

  CHECK(text == "CgsxMC4wLjAuMTo4MBC84s+qBg==");
  const auto value = decodeSession(text);
  REQUIRE(value);
  CHECK(value->address == "10.0.0.1:80");
  CHECK(value->expires == std::chrono::seconds(1700000060));
}

TEST_CASE("an address alone is a session without an end") {
  const auto value = decodeSession(encodeHeader("[::1]:80"));

  REQUIRE(value);
  CHECK(value->address == "[::1]:80");
  CHECK_FALSE(value->expires);
  CHECK_FALSE(decodeSession(encodeCookie({"10.0.0.1:80", {}}))->expires);
}

TEST_CASE("what names no host is no session") {
  const auto decode = [](std::string_view bytes) {
    return decodeSession(absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()))).has_value();
  };
  CHECK(
      decode("\x0a\x0b"
             "10.0.0.1:80"));
  for (const std::string_view bytes :
       {std::string_view("a.test:80"), std::string_view("10.0.0.1"), std::string_view("10.0.0.1:0"),
        std::string_view("/socket"), std::string_view("\x0a"),
        std::string_view("\x0a\x7f"
                         "10.0.0.1:80"),
        std::string_view("\x0a\x0b"
                         "10.0.0.1:80\x18\x01"),
        std::string_view("\x0a\x0b"
                         "10.0.0.1:80\x10"),
        std::string_view("\x0a\x0b"
                         "10.0.0.1:80\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        std::string_view("\x10\x01")}) {
    CAPTURE(bytes);
    CHECK_FALSE(decode(bytes));
  }
  CHECK_FALSE(decodeSession(""));
  CHECK_FALSE(decodeSession("10.0.0.1:80"));  // not base64
  CHECK_FALSE(decodeSession(std::string(1000, 'A')));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::stateful_session
