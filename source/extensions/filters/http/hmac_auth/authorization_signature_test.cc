#include "source/extensions/filters/http/hmac_auth/authorization_signature.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <string>

#include "absl/strings/escaping.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/test_request.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

using testing::TestRequest;

const std::string kDate = "Thu, 22 Jun 2017 17:15:21 GMT";
constexpr int64_t kNow = 1498151721;

std::string headerOf(const std::string& lines, const std::string& algorithm = "hmac-sha256",
                     const std::string& signature = "AAAA") {
  return base::strCat("hmac username=\"ali\", algorithm=\"", algorithm, "\", headers=\"", lines, "\", signature=\"",
                      signature, "\"");
}

struct Reader {
  std::variant<SignedRequest, Failure> read(const TestRequest::Fields& fields, const std::string& path = "/p?q=1") {
    TestRequest request("POST", path, fields);
    request.headers.protocol = protocol;
    return readAuthorizationSignature(request.headers, has_body, rules, Seconds(std::chrono::seconds(now)));
  }
  // "" if it can be verified.
  std::string refusal(const TestRequest::Fields& fields) {
    const auto out = read(fields);
    const auto* const failure = std::get_if<Failure>(&out);
    return failure == nullptr ? "" : std::string(detailsOf(*failure));
  }
  std::string refusalOf(const std::string& header) { return refusal({{"date", kDate}, {"authorization", header}}); }
  std::string textOf(const std::string& lines, const TestRequest::Fields& more = {}) {
    TestRequest::Fields fields{{"date", kDate}, {"authorization", headerOf(lines)}};
    fields.insert(fields.end(), more.begin(), more.end());
    const auto out = read(fields);
    const auto* const failure = std::get_if<Failure>(&out);
    return failure == nullptr ? std::get<SignedRequest>(out).text : base::strCat("! ", detailsOf(*failure));
  }

  AuthorizationRules rules{.hashes = {Hash::kSha256, Hash::kSha512}};
  http::Protocol protocol = http::Protocol::kHttp11;
  int64_t now = kNow;
  bool has_body = false;
};

// Made by `openssl dgst -sha256 -hmac`.
TEST_CASE("a signature is that of the lines that it names") {
  Reader reader;
  const auto out = reader.read({{"date", kDate},
                                {"authorization", headerOf("date request-line", "hmac-sha256",
                                                           "REV/8Xk6mgjxCnHVHJ/FaouV5Yy15aVywamRaOdrTE8=")}});

  REQUIRE(std::holds_alternative<SignedRequest>(out));
  const auto& request = std::get<SignedRequest>(out);
  CHECK(request.key_id == "ali");
  CHECK(request.text == "date: Thu, 22 Jun 2017 17:15:21 GMT\nPOST /p?q=1 HTTP/1.1");
  CHECK(verifies(request.hash.value(), "0123456789abcdef", request.text, request.signature));
  CHECK_FALSE(request.digest);
}

TEST_CASE("lines are fields, the request line or its target") {
  Reader reader;
  const std::string date = "date: " + kDate;
  CHECK(reader.textOf("date @request-target") == date + "\n@request-target: post /p?q=1");
  CHECK(reader.textOf("request-line date") == "POST /p?q=1 HTTP/1.1\n" + date);
  CHECK(reader.textOf("date host request-line x", {{"x", "1"}, {"x", "2"}}) ==
        date + "\nhost: example.com\nPOST /p?q=1 HTTP/1.1\nx: 1, 2");
  reader.protocol = http::Protocol::kHttp2;
  CHECK(reader.textOf("date request-line") == date + "\nPOST /p?q=1 HTTP/2.0");
  CHECK(reader.textOf("date request-line y") == "! absent_signature_component");
}

TEST_CASE("the date is signed, and now") {
  Reader reader;
  reader.rules.clock_skew = std::chrono::seconds(10);
  const TestRequest::Fields signed_date{{"date", kDate}, {"authorization", headerOf("date request-line")}};
  const auto at = [&](int64_t seconds) {
    reader.now = kNow + seconds;
    return reader.refusal(signed_date);
  };

  CHECK(at(10) == "");
  CHECK(at(-10) == "");
  CHECK(at(11) == "stale_signature");
  CHECK(at(-11) == "stale_signature");
  reader.now = kNow;
  CHECK(reader.refusal({{"date", "now"}, {"authorization", headerOf("date request-line")}}) == "undated_signature");
  CHECK(reader.refusal({{"authorization", headerOf("date request-line")}}) == "undated_signature");
  CHECK(reader.refusal({{"date", kDate}, {"date", kDate}, {"authorization", headerOf("date request-line")}}) ==
        "undated_signature");
  CHECK(reader.refusal({{"date", kDate}, {"authorization", headerOf("request-line")}}) == "unsigned_component");
  CHECK(reader.refusal({{"date", "then"}, {"x-date", kDate}, {"authorization", headerOf("x-date request-line")}}) ==
        "");
  CHECK(reader.refusal({{"date", kDate}, {"x-date", "then"}, {"authorization", headerOf("x-date request-line")}}) ==
        "undated_signature");
}

TEST_CASE("what is required has to be signed in authorization, too") {
  Reader reader;
  CHECK(reader.refusalOf(headerOf("date")) == "unsigned_component");
  reader.rules.required = {"date", "host"};
  CHECK(reader.refusalOf(headerOf("host date")) == "");
  CHECK(reader.refusalOf(headerOf("date request-line")) == "unsigned_component");
  reader.rules.required = {"date"};
  reader.rules.digest_required = true;
  CHECK(reader.refusalOf(headerOf("date")) == "");
  reader.has_body = true;
  CHECK(reader.refusalOf(headerOf("date")) == "unsigned_component");
}

TEST_CASE("a digest that is signed is read") {
  Reader reader;
  const auto digest = [&](const std::string& value) {
    return reader.read({{"date", kDate}, {"digest", value}, {"authorization", headerOf("date request-line digest")}});
  };

  const auto good = digest("SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=");
  REQUIRE(std::holds_alternative<SignedRequest>(good));
  REQUIRE(std::get<SignedRequest>(good).digest);
  CHECK(std::get<SignedRequest>(good).digest->matches(R"({"hello": "world"})"));
  CHECK(std::get<Failure>(digest("SHA-256=X48E")) == Failure::kDigest);
}

TEST_CASE("an algorithm has to be one of those that are taken") {
  Reader reader;
  CHECK(reader.refusalOf(headerOf("date request-line", "hmac-sha512")) == "");
  CHECK(reader.refusalOf(headerOf("date request-line", "hmac-sha1")) == "unsupported_signature_algorithm");
  CHECK(reader.refusalOf(headerOf("date request-line", "HMAC-SHA256")) == "unsupported_signature_algorithm");
  CHECK(reader.refusalOf(headerOf("date request-line", "")) == "unsupported_signature_algorithm");
}

TEST_CASE("it stands in one of two fields") {
  Reader reader;
  const std::string good = headerOf("date request-line");
  CHECK(reader.refusal({{"date", kDate}}) == "missing_signature");
  CHECK(reader.refusalOf("Basic YTpi") == "missing_signature");
  CHECK(reader.refusalOf("hmac") == "missing_signature");
  CHECK(reader.refusal({{"date", kDate}, {"proxy-authorization", good}}) == "");
  CHECK(reader.refusal({{"date", kDate}, {"proxy-authorization", "Basic YTpi"}, {"authorization", good}}) == "");
  CHECK(reader.refusal({{"date", kDate}, {"proxy-authorization", "hmac x"}, {"authorization", good}}) ==
        "malformed_signature");
  CHECK(reader.refusal({{"date", kDate}, {"authorization", good}, {"authorization", good}}) == "malformed_signature");
  CHECK(reader.refusalOf("HMAC" + good.substr(4)) == "");
}

TEST_CASE("parameters are each there once, in any order") {
  Reader reader;
  CHECK(reader.refusalOf(
            "hmac signature=\"AAAA\",headers=\"date request-line\" ,  algorithm=\"hmac-sha256\",username=\"a\"") == "");
  for (const char* header :
       {"hmac ", "hmac username", "hmac username=a", "hmac username=\"a", "hmac ,",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date request-line\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"AAAA\",",
        "hmac username=\"a\" algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"AAAA\"",
        "hmac username=\"a\", username=\"b\", algorithm=\"hmac-sha256\", headers=\"date request-line\", "
        "signature=\"AAAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"AAAA\", x=\"\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"AAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"AA AA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"\", signature=\"AAAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date  request-line\", signature=\"AAAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date date request-line\", signature=\"AAAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"Date request-line\", signature=\"AAAA\"",
        "hmac username=\"a\", algorithm=\"hmac-sha256\", headers=\"date @path\", signature=\"AAAA\""}) {
    INFO(header);
    CHECK(reader.refusalOf(header) == "malformed_signature");
  }
  std::string many = "date request-line";
  for (int i = 0; i < 31; ++i) many += " x" + std::to_string(i);
  CHECK(reader.refusalOf(headerOf(many)) == "malformed_signature");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
