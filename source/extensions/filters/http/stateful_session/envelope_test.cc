#include "source/extensions/filters/http/stateful_session/envelope.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::stateful_session {
namespace {

// With that value for the host.
std::string envelopeOf(std::string_view value) {
  return "MTAuMC4wLjE6ODA=;UV:" + absl::Base64Escape(base::toAbsl(value));
}

TEST_CASE("an envelope has the address and what the host said") {
  CHECK(sealEnvelope("10.0.0.1:80", "abc") == "MTAuMC4wLjE6ODA=;UV:YWJj");

  const auto opened = openEnvelope("MTAuMC4wLjE6ODA=;UV:YWJj");

  REQUIRE(opened);
  CHECK(opened->address == "10.0.0.1:80");
  CHECK(opened->value == "abc");
}

TEST_CASE("parts that nobody knows are passed over, and the first value counts") {
  const auto opened = openEnvelope("MTAuMC4wLjE6ODA=;x;;XY:Zm9v;UV:YWJj;UV:ZGVm");

  REQUIRE(opened);
  CHECK(opened->value == "abc");
}

TEST_CASE("the host gets back what it said where the address is none") {
  for (const char* address : {"", "x", "YS50ZXN0Ojgw"}) {
    CAPTURE(address);
    const auto opened = openEnvelope(std::string(address) + ";UV:YWJj");

    REQUIRE(opened);
    CHECK(opened->address == "");
    CHECK(opened->value == "abc");
  }
}

TEST_CASE("without a value that may stand in a header there is no envelope") {
  CHECK(openEnvelope(envelopeOf("a b\tc")));
  for (const std::string_view value : {"", "a\r\nx-admin: 1", "a\nb", " a", "a\t", "a\x7f"}) {
    CAPTURE(value);
    CHECK_FALSE(openEnvelope(envelopeOf(value)));
  }
  CHECK_FALSE(openEnvelope(envelopeOf(std::string_view("a\0b", 3))));
  CHECK_FALSE(openEnvelope(""));
  CHECK_FALSE(openEnvelope("MTAuMC4wLjE6ODA="));
  CHECK_FALSE(openEnvelope("MTAuMC4wLjE6ODA=;UV:"));
  CHECK_FALSE(openEnvelope("MTAuMC4wLjE6ODA=;UV:*"));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::stateful_session
