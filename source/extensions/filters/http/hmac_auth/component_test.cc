#include "source/extensions/filters/http/hmac_auth/component.h"

#include <catch2/catch.hpp>

#include <string>

#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/test_request.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

using testing::TestRequest;
namespace structured = http::structured;

structured::Item itemOf(const std::string& text) {
  const auto dictionary = structured::parseDictionary("a=(" + text + ")", 8);
  REQUIRE(dictionary);
  return std::get<structured::InnerList>(dictionary->front().value).items.front();
}

// The value, or "! " and why there is none.
std::string valueIn(const TestRequest& request, const std::string& component) {
  const auto value = Components(request.headers).valueOf(itemOf(component));
  if (const auto* const failure = std::get_if<Failure>(&value)) return base::strCat("! ", detailsOf(*failure));
  return std::get<std::string>(value);
}

const std::string kUnsupported = "! unsupported_signature_component";
const std::string kAbsent = "! absent_signature_component";

TEST_CASE("a request has derived components") {
  TestRequest request("POST", "/path?param=value");
  request.headers.authority = "WWW.Example.com:443";

  CHECK(valueIn(request, "\"@method\"") == "POST");
  CHECK(valueIn(request, "\"@target-uri\"") == "https://WWW.Example.com:443/path?param=value");
  CHECK(valueIn(request, "\"@authority\"") == "www.example.com");
  CHECK(valueIn(request, "\"@scheme\"") == "https");
  CHECK(valueIn(request, "\"@request-target\"") == "/path?param=value");
  CHECK(valueIn(request, "\"@path\"") == "/path");
  CHECK(valueIn(request, "\"@query\"") == "?param=value");
}

TEST_CASE("the query is a question mark where there is none, and a port belongs to its scheme") {
  TestRequest request("GET", "/path");
  request.headers.authority = "example.com:80";

  CHECK(valueIn(request, "\"@query\"") == "?");
  CHECK(valueIn(request, "\"@authority\"") == "example.com:80");
  request.headers.set(http::Name::kXForwardedProto, "http");
  CHECK(valueIn(request, "\"@authority\"") == "example.com");
  CHECK(valueIn(request, "\"@scheme\"") == "http");
}

TEST_CASE("CONNECT and OPTIONS have targets of their own") {
  TestRequest connect("CONNECT", "");
  CHECK(valueIn(connect, "\"@request-target\"") == "example.com");
  CHECK(valueIn(connect, "\"@target-uri\"") == "example.com");
  CHECK(valueIn(connect, "\"@path\"") == "/");
  const TestRequest options("OPTIONS", "*");
  CHECK(valueIn(options, "\"@request-target\"") == "*");
  CHECK(valueIn(options, "\"@target-uri\"") == "https://example.com");
}

// The examples of section 2.2.8.
TEST_CASE("a parameter of the query is decoded and encoded in one way") {
  const TestRequest request("GET",
                            "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&"
                            "fa%C3%A7ade%22%3A%20=something&baz=batman&qux=&t=~*-._");
  CHECK(valueIn(request, "\"@query-param\";name=\"var\"") == "this%20is%20a%20big%0Amultiline%20value");
  CHECK(valueIn(request, "\"@query-param\";name=\"bar\"") == "with%20plus%20whitespace");
  CHECK(valueIn(request, "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"") == "something");
  CHECK(valueIn(request, "\"@query-param\";name=\"qux\"") == "");
  CHECK(valueIn(request, "\"@query-param\";name=\"t\"") == "%7E*-._");
  CHECK(valueIn(request, "\"@query-param\";name=\"none\"") == kAbsent);
  CHECK(valueIn(request, "\"@query-param\"") == kUnsupported);
  CHECK(valueIn(request, "\"@query-param\";name=a") == kUnsupported);
  CHECK(valueIn(request, "\"@query-param\";name=\"var\";req") == kUnsupported);
  CHECK(valueIn(TestRequest("GET", "/?a=1&%61=2"), "\"@query-param\";name=\"a\"") == kAbsent);
}

TEST_CASE("a field has all of its values") {
  const TestRequest request("GET", "/", {{"x-one", "1"}, {"cache-control", "a, b"}, {"x-one", ""}, {"x-one", "3"}});
  CHECK(valueIn(request, "\"x-one\"") == "1, , 3");
  CHECK(valueIn(request, "\"cache-control\"") == "a, b");
  CHECK(valueIn(request, "\"host\"") == "example.com");
  CHECK(valueIn(request, "\"x-two\"") == kAbsent);
  CHECK(valueIn(request, "\"X-One\"") == kAbsent);
  CHECK(valueIn(request, "\"\"") == kAbsent);
}

// The examples of sections 2.1.2 and 2.1.3.
TEST_CASE("a field may be signed by a member or as bytes") {
  const TestRequest request("GET", "/",
                            {{"example-dict", "a=1,   b=2;x=1;y=2,   c=(a   b    c), d"},
                             {"example-header", "value, with, lots"},
                             {"example-header", "of, commas"},
                             {"text", "no dictionary!"}});
  CHECK(valueIn(request, "\"example-dict\";key=\"a\"") == "1");
  CHECK(valueIn(request, "\"example-dict\";key=\"d\"") == "?1");
  CHECK(valueIn(request, "\"example-dict\";key=\"b\"") == "2;x=1;y=2");
  CHECK(valueIn(request, "\"example-dict\";key=\"c\"") == "(a b c)");
  CHECK(valueIn(request, "\"example-dict\";key=\"e\"") == kAbsent);
  CHECK(valueIn(request, "\"text\";key=\"a\"") == kAbsent);
  CHECK(valueIn(request, "\"example-header\";bs") == ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:");
  CHECK(valueIn(request, "\"none\";bs") == kAbsent);
}

TEST_CASE("a field and the query have many parts") {
  const TestRequest request("GET", "/?a=1&b=2&c", {{"one", "a=1, b=2"}, {"two", "a=3"}, {"three", "!"}});
  Components components(request.headers);
  const auto value = [&components](const std::string& component) {
    const auto out = components.valueOf(itemOf(component));
    return std::holds_alternative<Failure>(out) ? "! " + std::string(detailsOf(std::get<Failure>(out)))
                                                : std::get<std::string>(out);
  };
  for (int i = 0; i < 2; ++i) {
    CHECK(value("\"one\";key=\"b\"") == "2");
    CHECK(value("\"two\";key=\"a\"") == "3");
    CHECK(value("\"two\";key=\"b\"") == kAbsent);
    CHECK(value("\"three\";key=\"a\"") == kAbsent);
    CHECK(value("\"one\";key=\"a\"") == "1");
    CHECK(value("\"@query-param\";name=\"b\"") == "2");
    CHECK(value("\"@query-param\";name=\"c\"") == "");
    CHECK(value("\"@query-param\";name=\"%61\"") == kAbsent);
  }
}

TEST_CASE("what is not supported is said to be so") {
  const TestRequest request("GET", "/", {{"a", "b=1"}});
  for (const char* component : {"\"a\";sf", "\"a\";tr", "\"a\";req", "\"a\";key=b", "\"a\";key", "\"a\";bs=?0",
                                "\"a\";bs;sf", "\"a\";key=\"b\";bs", "\"@status\"", "\"@signature-params\"",
                                "\"@method\";req", "\"@\"", "\"@path\";x", "a", "1"}) {
    INFO(component);
    CHECK(valueIn(request, component) == kUnsupported);
  }
}

TEST_CASE("a component may say what is required as a part of it") {
  CHECK(covers(itemOf("\"@path\""), "@path"));
  CHECK(covers(itemOf("\"@target-uri\""), "@path"));
  CHECK(covers(itemOf("\"@target-uri\""), "@authority"));
  CHECK(covers(itemOf("\"@request-target\""), "@query"));
  CHECK(covers(itemOf("\"x\";bs"), "x"));
  CHECK_FALSE(covers(itemOf("\"@request-target\""), "@authority"));
  CHECK_FALSE(covers(itemOf("\"@target-uri\""), "@method"));
  CHECK_FALSE(covers(itemOf("\"@path\""), "@query"));
  CHECK_FALSE(covers(itemOf("\"x\";key=\"a\""), "x"));
  CHECK_FALSE(covers(itemOf("\"@method\";bs"), "@method"));
  CHECK_FALSE(covers(itemOf("x"), "x"));
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
