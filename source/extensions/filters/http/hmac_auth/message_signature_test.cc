#include "source/extensions/filters/http/hmac_auth/message_signature.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>

#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/test_request.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

using testing::TestRequest;

constexpr int64_t kCreated = 1618884473;

// The request of RFC 9421, section B.2, and the key of B.1.5.
TestRequest::Fields exampleFields() {
  return {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
          {"content-type", "application/json"},
          {"content-digest",
           "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"},
          {"content-length", "18"}};
}
const std::string kTarget = "/foo?param=Value&Pet=dog";

std::string exampleSecret() {
  std::string out;
  absl::Base64Unescape("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==",
                       &out);
  return out;
}

struct Reader {
  std::variant<SignedRequest, Failure> read(const std::string& input, const std::string& signature = "s=:AAAA:") {
    auto fields = exampleFields();
    if (!input.empty()) fields.emplace_back("signature-input", input);
    if (!signature.empty()) fields.emplace_back("signature", signature);
    const TestRequest request("POST", kTarget, fields);
    return readMessageSignature(request.headers, has_body, rules, Seconds(std::chrono::seconds(now)),
                                [this](std::string_view id) { return id == known; });
  }
  // "" if it can be verified.
  std::string refusal(const std::string& input, const std::string& signature = "s=:AAAA:") {
    const auto out = read(input, signature);
    const auto* const failure = std::get_if<Failure>(&out);
    return failure == nullptr ? "" : std::string(detailsOf(*failure));
  }

  MessageRules rules;
  int64_t now = kCreated;
  bool has_body = true;
  std::string known = "k";
};

std::string inputOf(const std::string& components, const std::string& parameters = ";created=1618884473;keyid=\"k\"") {
  return "s=(" + components + ")" + parameters;
}

TEST_CASE("the example of section B.2.5 is verified by its secret") {
  Reader reader;
  const auto out =
      reader.read("sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
                  "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");

  REQUIRE(std::holds_alternative<SignedRequest>(out));
  const auto& request = std::get<SignedRequest>(out);
  CHECK(request.key_id == "test-shared-secret");
  CHECK(request.text ==
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
        "\"@authority\": example.com\n"
        "\"content-type\": application/json\n"
        "\"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid="
        "\"test-shared-secret\"");
  CHECK(verifies(request.hash.value(), exampleSecret(), request.text, request.signature));
  CHECK_FALSE(request.digest);
}

// The base of section B.2.3, which signs everything; its signature is of another kind.
TEST_CASE("what is signed is written as in the example of section B.2.3") {
  Reader reader;
  const auto out = reader.read(
      "s=(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" "
      "\"content-length\")"
      ";created=1618884473;keyid=\"test-key-rsa-pss\"");

  REQUIRE(std::holds_alternative<SignedRequest>(out));
  const auto& request = std::get<SignedRequest>(out);
  CHECK(request.text ==
        "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
        "\"@method\": POST\n"
        "\"@path\": /foo\n"
        "\"@query\": ?param=Value&Pet=dog\n"
        "\"@authority\": example.com\n"
        "\"content-type\": application/json\n"
        "\"content-digest\": "
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\n"
        "\"content-length\": 18\n"
        "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" "
        "\"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-rsa-pss\"");
  REQUIRE(request.digest);
  CHECK(request.digest->matches(R"({"hello": "world"})"));
}

TEST_CASE("parameters keep their order, and those that say nothing here are signed all the same") {
  Reader reader;
  const auto out = reader.read(inputOf("", ";keyid=\"k\";x=1.50;created=1618884473;nonce=\"n\";alg=\"hmac-sha256\""));

  REQUIRE(std::holds_alternative<SignedRequest>(out));
  CHECK(std::get<SignedRequest>(out).text ==
        "\"@signature-params\": ();keyid=\"k\";x=1.5;created=1618884473;nonce=\"n\";alg=\"hmac-sha256\"");
}

TEST_CASE("a signature counts for a while") {
  Reader reader;
  reader.rules.max_age = std::chrono::seconds(60);
  reader.rules.clock_skew = std::chrono::seconds(5);
  const auto at = [&](int64_t seconds, const std::string& expires = "") {
    reader.now = kCreated + seconds;
    return reader.refusal(inputOf("", ";created=1618884473;keyid=\"k\"" + expires));
  };

  CHECK(at(0) == "");
  CHECK(at(65) == "");
  CHECK(at(66) == "stale_signature");
  CHECK(at(-5) == "");
  CHECK(at(-6) == "stale_signature");
  CHECK(at(14, ";expires=1618884483") == "");
  CHECK(at(15, ";expires=1618884483") == "expired_signature");
  CHECK(reader.refusal(inputOf("", ";keyid=\"k\"")) == "undated_signature");
  CHECK(reader.refusal(inputOf("", ";created=999999999999999;keyid=\"k\"")) == "stale_signature");
  CHECK(reader.refusal(inputOf("", ";created=-999999999999999;keyid=\"k\"")) == "stale_signature");
}

TEST_CASE("what is required has to be signed") {
  Reader reader;
  reader.rules.required = {"@method", "@path", "content-digest"};

  CHECK(reader.refusal(inputOf("\"@method\" \"@path\" \"content-digest\"")) == "");
  CHECK(reader.refusal(inputOf("\"content-digest\" \"@target-uri\" \"@method\"")) == "");
  CHECK(reader.refusal(inputOf("\"@method\" \"content-digest\"")) == "unsigned_component");
  CHECK(reader.refusal(inputOf("\"@method\" \"@path\"")) == "unsigned_component");
  CHECK(reader.refusal(inputOf("")) == "unsigned_component");
  reader.has_body = false;
  CHECK(reader.refusal(inputOf("\"@method\" \"@path\"")) == "");
}

TEST_CASE("the first signature with a known key counts, or the first") {
  Reader reader;
  const std::string many =
      "a=();created=1618884473;keyid=\"x\", b=();created=1618884473;keyid=\"k\";tag=\"t\", "
      "c=();created=1618884473;keyid=\"y\"";
  const auto chosen = [&] {
    const auto out = reader.read(many, "c=:AAAD:, b=:AAAC:, a=:AAAB:");
    return std::holds_alternative<Failure>(out) ? std::string(detailsOf(std::get<Failure>(out)))
                                                : std::get<SignedRequest>(out).key_id;
  };

  CHECK(chosen() == "k");
  reader.known = "y";
  CHECK(chosen() == "y");
  reader.known = "z";
  CHECK(chosen() == "x");
  reader.rules.tag = "t";
  CHECK(chosen() == "k");
  reader.rules.tag = "other";
  CHECK(chosen() == "missing_signature");
}

TEST_CASE("what cannot be read, or in two ways, is refused") {
  Reader reader;
  CHECK(reader.refusal("", "") == "missing_signature");
  CHECK(reader.refusal(inputOf(""), "") == "malformed_signature");
  CHECK(reader.refusal("", "s=:AAAA:") == "malformed_signature");
  CHECK(reader.refusal("!") == "malformed_signature");
  CHECK(reader.refusal("s=1") == "malformed_signature");
  CHECK(reader.refusal("s=();created=1618884473, t=1") == "malformed_signature");
  CHECK(reader.refusal(inputOf(""), "s=AAAA") == "malformed_signature");
  CHECK(reader.refusal(inputOf(""), "s=(:AAAA:)") == "malformed_signature");
  CHECK(reader.refusal(inputOf(""), "t=:AAAA:") == "malformed_signature");
  CHECK(reader.refusal(inputOf(""), "s=:AAAA") == "malformed_signature");
  CHECK(reader.refusal(inputOf(""), "s=:AAAA:, s=:AAAB:") == "malformed_signature");
  CHECK(reader.refusal(inputOf("\"date\" \"date\"")) == "malformed_signature");
  CHECK(reader.refusal(inputOf("", ";created=1618884473;keyid=k")) == "malformed_signature");
  CHECK(reader.refusal(inputOf("", ";created=\"1618884473\";keyid=\"k\"")) == "malformed_signature");
  CHECK(reader.refusal(inputOf("", ";created=1618884473.0;keyid=\"k\"")) == "malformed_signature");
  CHECK(reader.refusal(inputOf("", ";created=1618884473;keyid=\"k\";keyid=\"k\"")) == "malformed_signature");
  CHECK(reader.refusal(inputOf("\"none\"")) == "absent_signature_component");
  CHECK(reader.refusal(inputOf("\"date\";sf")) == "unsupported_signature_component");
  for (const char* name : {"hmac-sha512", "HMAC-SHA256", "EdDSA", "none", ""}) {
    CHECK(reader.refusal(inputOf("", base::strCat(";created=1618884473;keyid=\"k\";alg=\"", name, "\""))) ==
          "unsupported_signature_algorithm");
  }
  std::string many;
  for (int i = 0; i < 33; ++i) many += "\"@query-param\";name=\"" + std::to_string(i) + "\" ";
  CHECK(reader.refusal(inputOf(many)) == "malformed_signature");
}

TEST_CASE("a digest of which a member is signed is that of the body, but not all of what is required") {
  Reader reader;
  const auto out = reader.read(inputOf("\"content-digest\";key=\"sha-512\""));
  REQUIRE(std::holds_alternative<SignedRequest>(out));
  REQUIRE(std::get<SignedRequest>(out).digest);
  CHECK_FALSE(std::get<SignedRequest>(out).digest->matches("other"));

  reader.rules.required = {"content-digest"};
  CHECK(reader.refusal(inputOf("\"content-digest\";key=\"sha-512\"")) == "unsigned_component");
}

TEST_CASE("a digest that is signed has to be one") {
  auto fields = exampleFields();
  for (auto& [name, value] : fields) {
    if (name == "content-digest") value = "md5=:AAAA:";
  }
  fields.emplace_back("signature-input", inputOf("\"content-digest\""));
  fields.emplace_back("signature", "s=:AAAA:");
  const TestRequest request("POST", kTarget, fields);

  const auto out = readMessageSignature(request.headers, true, {}, Seconds(std::chrono::seconds(kCreated)),
                                        [](std::string_view) { return true; });

  REQUIRE(std::holds_alternative<Failure>(out));
  CHECK(std::get<Failure>(out) == Failure::kDigest);
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
