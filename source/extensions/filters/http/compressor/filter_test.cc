#include "source/extensions/filters/http/compressor/filter.h"

#include <catch2/catch.hpp>

#include "source/compression/test_library.h"
#include "source/extensions/filters/http/compressor/test_compressors.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::compressor {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;

TEST_CASE("a response is compressed for who accepts it") {
  Bed h;
  h.request("GET", {{"accept-encoding", "gzip, turned"}}, true);
  h.respond(200,
            {{"content-type", "text/html; charset=utf-8"},
             {"content-length", "100"},
             {"etag", "\"a\""},
             {"accept-ranges", "bytes"}},
            false);
  h.runner->responseData("abc", false);
  CHECK(h.client.body == "");  // its length is known: it will come
  h.runner->responseData("def", true);

  CHECK(h.client.body == "ABCDEF.");
  CHECK(h.of("content-encoding") == "turned");
  CHECK(h.of("content-length") == "(none)");
  CHECK(h.of("etag") == "(none)");
  CHECK(h.of("accept-ranges") == "(none)");
  CHECK(h.of("vary") == "accept-encoding");
  CHECK(h.stat("response.compressed") == 1);
  CHECK(h.stat("response.total_uncompressed_bytes") == 6);
  CHECK(h.stat("response.total_compressed_bytes") == 7);
  CHECK(h.stat("header_compressor_used") == 1);
}

TEST_CASE("what has no length is with the client as soon as it is here") {
  Bed h;
  h.request("GET", {{"accept-encoding", "turned"}}, true);
  h.respond(200, {{"content-type", "text/plain"}}, false);
  h.runner->responseData("event", false);
  CHECK(h.client.body == "EVENT");
  h.responseTrailers({{"x", "y"}});
  CHECK(h.client.body == "EVENT.");
  CHECK(h.client.trailers == Fields{{"x", "y"}});
}

// Whether an answer with these fields is compressed.
bool compresses(const Fields& response, uint16_t status = 200, const std::string& config = "",
                const std::string& method = "GET", Fields request = {{"accept-encoding", "turned"}}) {
  Bed h(config);
  h.request(method, request, true);
  h.respond(status, response, false);
  h.runner->responseData(std::string(40, 'a'), true);
  return h.of("content-encoding") == "turned";
}

TEST_CASE("what must not be compressed is not") {
  CHECK(compresses({}));
  CHECK(compresses({{"content-type", "Application/JSON"}}));
  CHECK_FALSE(compresses({{"content-type", "image/png"}}));
  CHECK_FALSE(compresses({{"content-encoding", "br"}}));
  CHECK_FALSE(compresses({{"content-encoding", "identity"}}));
  CHECK_FALSE(compresses({{"cache-control", "private, no-transform"}}));
  CHECK_FALSE(compresses({{"content-range", "bytes 0-39/100"}}, 206));
  CHECK_FALSE(compresses({}, 206));
  CHECK_FALSE(compresses({{"content-length", "29"}}));
  CHECK(compresses({{"content-length", "30"}}));
}

TEST_CASE("an answer without a body stays as it is, but tells caches") {
  Bed h;
  h.request("HEAD", {{"accept-encoding", "turned"}}, true);
  h.respond(200, {{"content-type", "text/html"}, {"content-length", "100"}, {"etag", "\"a\""}}, true);
  CHECK(h.of("content-encoding") == "(none)");
  CHECK(h.of("content-length") == "100");
  CHECK(h.of("vary") == "accept-encoding");
}

TEST_CASE("an upgrade is no body") {
  Bed h;
  h.stream.request().upgrade = "websocket";
  h.request("GET", {{"accept-encoding", "turned"}}, false);
  h.respond(200, {}, false);
  h.runner->responseData("bytes", false);
  CHECK(h.client.body == "bytes");
}

TEST_CASE("caches are told even if this client accepts nothing") {
  Bed h;
  h.request("GET", {}, true);
  h.respond(200, {{"content-type", "text/html"}}, false);
  h.runner->responseData("abc", true);
  CHECK(h.client.body == "abc");
  CHECK(h.of("vary") == "accept-encoding");
  CHECK(h.stat("no_accept_header") == 1);
  CHECK(h.stat("response.not_compressed") == 1);
}

TEST_CASE("each field of responses has its effect") {
  const Fields etag = {{"etag", "\"a\""}};
  CHECK(compresses(etag));
  CHECK_FALSE(compresses(etag, 200, "response_direction_config: {disable_on_etag_header: true}"));
  CHECK(compresses(etag, 200,
                   "response_direction_config: {disable_on_etag_header: true, weaken_etag_on_compress: true}"));
  CHECK_FALSE(compresses({}, 404, "response_direction_config: {uncompressible_response_codes: [404]}"));
  CHECK(compresses({}, 200, "response_direction_config: {uncompressible_response_codes: [404]}"));
  CHECK_FALSE(compresses(
      {}, 200, "response_direction_config: {common_config: {enabled: {default_value: false, runtime_key: k}}}"));
  const std::string types = "response_direction_config: {common_config: {content_type: [Text/X]}}";
  CHECK(compresses({{"content-type", "text/x"}}, 200, types));
  CHECK_FALSE(compresses({{"content-type", "text/html"}}, 200, types));
  const std::string large = "response_direction_config: {common_config: {min_content_length: 1000}}";
  CHECK_FALSE(compresses({{"content-length", "999"}}, 200, large));
  CHECK(compresses({{"content-length", "1000"}}, 200, large));
}

TEST_CASE("a strong etag becomes weak if that is wanted") {
  Bed h("response_direction_config: {weaken_etag_on_compress: true}");
  h.request("GET", {{"accept-encoding", "turned"}}, true);
  h.respond(200, {{"etag", "\"a\""}}, false);
  CHECK(h.of("etag") == "W/\"a\"");
}

TEST_CASE("upstreams do not see accept-encoding if that is wanted, and clients are served all the same") {
  Bed h("response_direction_config: {remove_accept_encoding_header: true}");
  h.request("GET", {{"accept-encoding", "turned"}}, true);
  CHECK(h.terminal.headers.empty());
  h.respond(200, {}, false);
  CHECK(h.of("content-encoding") == "turned");
}

TEST_CASE("a header tells what was done") {
  const auto status = [](uint16_t code, const Fields& response) {
    Bed h(
        "response_direction_config: {status_header_enabled: true, disable_on_etag_header: true, "
        "uncompressible_response_codes: [404]}");
    h.request("GET", {{"accept-encoding", "turned"}}, true);
    h.respond(code, response, false);
    return h.of("x-envoy-compression-status");
  };
  CHECK(status(200, {{"content-length", "100"}}) == "turned;Compressed;OriginalLength=100");
  CHECK(status(200, {}) == "turned;Compressed");
  CHECK(status(200, {{"content-length", "1"}}) == "turned;ContentLengthTooSmall");
  CHECK(status(200, {{"content-type", "image/png"}}) == "turned;ContentTypeNotAllowed");
  CHECK(status(200, {{"etag", "W/\"a\""}}) == "turned;EtagNotAllowed");
  CHECK(status(404, {}) == "turned;StatusCodeNotAllowed");
}

TEST_CASE("the fields of old do what those of response_direction_config do") {
  CHECK_FALSE(compresses({{"content-length", "999"}}, 200, "content_length: 1000"));
  CHECK_FALSE(compresses({{"content-type", "text/html"}}, 200, "content_type: [text/x]"));
  CHECK_FALSE(compresses({{"etag", "\"a\""}}, 200, "disable_on_etag_header: true"));
  CHECK_FALSE(compresses({}, 200, "runtime_enabled: {default_value: false, runtime_key: k}"));
  Bed h("remove_accept_encoding_header: true");
  h.request("GET", {{"accept-encoding", "turned"}}, true);
  CHECK(h.terminal.headers.empty());
  h.respond(200, {}, false);
  CHECK(h.stat("compressed") == 1);  // without "response."
}

TEST_CASE("a request is compressed if it is to be") {
  Bed h("request_direction_config: {common_config: {min_content_length: 4}}");
  h.request("POST", {{"content-type", "application/json"}, {"content-length", "6"}}, false);
  h.runner->requestData("abc", false);
  h.runner->requestData("def", true);
  CHECK(h.terminal.body == "ABCDEF.");
  CHECK(h.terminal.headers == Fields{{"content-type", "application/json"}, {"content-encoding", "turned"}});
  CHECK(h.stat("request.compressed") == 1);
}

TEST_CASE("a request that must stay as it is does") {
  const auto sent = [](const Fields& fields, const std::string& config = "request_direction_config: {}") {
    Bed h(config);
    h.request("POST", fields, false);
    h.runner->requestData(std::string(40, 'a'), true);
    return h.terminal.body.substr(0, 2);
  };
  CHECK(sent({}) == "AA");
  CHECK(sent({}, "choose_first: true") == "aa");
  CHECK(sent({}, "request_direction_config: {common_config: {enabled: {default_value: false}}}") == "aa");
  CHECK(sent({{"content-encoding", "gzip"}}) == "aa");
  CHECK(sent({{"content-length", "29"}}) == "aa");
  CHECK(sent({{"content-type", "image/png"}}) == "aa");
  CHECK(sent({{"content-range", "bytes 0-1/2"}}) == "aa");
}

TEST_CASE("routes have a say") {
  const auto coding = [](const std::string& route) {
    Bed h("", route);
    h.request("GET", {{"accept-encoding", "turned, other;q=0.5"}}, true);
    h.respond(200, {}, false);
    return h.of("content-encoding");
  };
  CHECK(coding("disabled: true") == "(none)");
  CHECK(coding("overrides: {}") == "turned");
  CHECK(coding("overrides: {compressor_library: {name: o, typed_config: {'@type': type.googleapis.com/" + kOther +
               "}}}") == "other");
  Bed h("response_direction_config: {common_config: {enabled: {default_value: false}}}",
        "overrides: {response_direction_config: {remove_accept_encoding_header: true}}");
  h.request("GET", {{"accept-encoding", "turned"}}, true);
  CHECK(h.terminal.headers.empty());
  h.respond(200, {}, false);
  CHECK(h.of("content-encoding") == "turned");
}

TEST_CASE("several compressors agree about one answer") {
  const auto coding = [](const std::string& accepted, const std::string& first = "", const std::string& second = "") {
    Bed h(std::vector<std::string>{first, second});
    h.request("GET", {{"accept-encoding", accepted}}, true);
    h.respond(200, {{"content-type", "text/html"}}, false);
    h.runner->responseData("a", true);
    CHECK((h.client.body == "A." || h.client.body == "a"));  // never twice
    return h.of("content-encoding");
  };
  // The first is "turned", the second "other".
  CHECK(coding("turned, other") == "turned");
  CHECK(coding("other, turned") == "other");
  CHECK(coding("turned;q=0.5, other") == "other");
  CHECK(coding("turned, other", "", "choose_first: true") == "other");
  CHECK(coding("*") == "turned");
  CHECK(coding("turned;q=0, *") == "other");
  CHECK(coding("turned;q=0.1, *") == "other");
  CHECK(coding("identity, turned;q=0.5") == "(none)");
  CHECK(coding("identity;q=0.5, *;q=0.1") == "(none)");
  CHECK(coding("deflate") == "(none)");
  CHECK(coding("turned;q=0") == "(none)");
  CHECK(coding("turned", "response_direction_config: {common_config: {content_type: [text/x]}}") == "(none)");
  CHECK(coding("turned, other;q=0.1", "response_direction_config: {common_config: {content_type: [text/x]}}") ==
        "other");
}

TEST_CASE("who is not chosen says why") {
  const auto counted = [](const std::string& accepted, const std::string& name) {
    Bed h(std::vector<std::string>{"", ""});
    h.request("GET", {{"accept-encoding", accepted}}, true);
    h.respond(200, {}, true);  // without a body nobody is asked
    CHECK(h.stat(name) == 0);
    Bed again(std::vector<std::string>{"", ""});
    again.request("GET", {{"accept-encoding", accepted}}, true);
    again.respond(200, {}, false);
    return again.stat(name);
  };
  CHECK(counted("other", "header_compressor_overshadowed") == 1);
  // Of both.
  CHECK(counted("identity", "header_identity") == 2);
  CHECK(counted("*", "header_wildcard") == 2);
  CHECK(counted("deflate", "header_not_valid") == 2);
}

TEST_CASE("what cannot be is refused") {
  Compiled compiled(std::vector<std::string>{});
  CHECK(compiled.make("{compressor_library: {name: c, typed_config: {'@type': "
                      "type.googleapis.com/envoy.extensions.filters.http.compressor.v3.CompressorPerRoute, "
                      "disabled: true}}}") == nullptr);
  CHECK_THAT(compiled.world.problems(), Catch::Contains("compressor_library.typed_config") &&
                                            Catch::Contains("does not configure compressors; known: "));
}

TEST_CASE("it passes the interleaving suite") {
  const bool with_length = GENERATE(false, true);
  const auto chain = std::make_shared<Compiled>(
      "request_direction_config: {common_config: {min_content_length: 1}}, "
      "response_direction_config: {common_config: {min_content_length: 1}}");
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return chain->factories; };
  suite.request.headers = {{"accept-encoding", "turned"}};
  if (with_length) suite.response.headers = {{"content-length", "3"}};
  const auto due = [](std::string_view body) {
    std::string out;
    for (const char c : body) out += compression::testing::turned(c);
    return out + ".";
  };
  suite.request_due = due;
  suite.response_due = due;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::compressor
