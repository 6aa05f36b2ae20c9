#include "source/extensions/filters/http/grpc_web/filter.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "source/http/grpc.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_web {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;

std::string base64(const std::string& bytes) {
  return absl::Base64Escape(bytes);
}

std::string valueOf(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

struct Web : Harness {
  Web() : Harness({std::make_shared<FilterFactory>()}) {}
};

TEST_CASE("a grpc-web request goes on as gRPC, and the trailers come back in the body") {
  Web h;
  h.request("POST", {{"content-type", "application/grpc-web+proto"}, {"content-length", "6"}}, false);
  h.runner->requestData(framed("q"), true);
  CHECK(valueOf(h.terminal.headers, "content-type") == "application/grpc");
  CHECK(valueOf(h.terminal.headers, "te") == "trailers");
  CHECK(h.terminal.body == framed("q"));

  h.respond(200, {{"content-type", "application/grpc"}}, false);
  h.runner->responseData(framed("answer"), false);
  h.responseTrailers({{"grpc-status", "5"}, {"grpc-message", "gone"}});

  CHECK(valueOf(h.client.headers, "content-type") == "application/grpc-web+proto");
  CHECK(h.client.body == framed("answer") + framed("grpc-status: 5\r\ngrpc-message: gone\r\n", 0x80));
  CHECK(h.client.trailers.empty());
  CHECK(h.client.complete);
  CHECK(h.stream.info().grpc_status == 5);
}

TEST_CASE("text is base64 both ways, wherever it is cut") {
  const std::string request = base64(framed("ab")) + base64(framed("c"));  // each with its own padding
  const std::string response = framed("first") + framed("") + framed("second");
  const std::string due = base64(framed("first")) + base64(framed("")) + base64(framed("second")) +
                          base64(framed("grpc-status: 0\r\n", 0x80));
  for (size_t cut = 0; cut <= request.size(); ++cut) {
    Web h;
    h.request("POST", {{"content-type", "application/grpc-web-text"}, {"content-length", "20"}}, false);
    h.runner->requestData(request.substr(0, cut), false);
    h.runner->requestData(request.substr(cut), true);
    CHECK(h.terminal.body == framed("ab") + framed("c"));
    CHECK(valueOf(h.terminal.headers, "content-length") == "(none)");
    h.respond(200, {{"content-type", "application/grpc+proto"}}, false);
    h.runner->responseData(response.substr(0, cut), false);
    h.runner->responseData(response.substr(std::min(cut, response.size())), false);
    h.responseTrailers({{"grpc-status", "0"}});
    CHECK(h.client.body == due);
    CHECK(valueOf(h.client.headers, "content-type") == "application/grpc-web-text+proto");
  }
}

TEST_CASE("a message of a text response is whole for the client as soon as its last byte has come") {
  Web h;
  h.request("POST", {{"content-type", "application/grpc-web-text"}}, true);
  h.respond(200, {{"content-type", "application/grpc"}}, false);
  h.runner->responseData(framed("ab"), false);
  CHECK(h.client.body == base64(framed("ab")));
}

TEST_CASE("accept decides about the response") {
  const auto answer_type = [](Fields fields) {
    Web h;
    h.request("POST", fields, true);
    h.respond(200, {{"content-type", "application/grpc"}, {"grpc-status", "0"}}, true);
    return valueOf(h.client.headers, "content-type");
  };
  const std::string binary = "application/grpc-web", text = "application/grpc-web-text";
  CHECK(answer_type({{"content-type", binary}, {"accept", text}}) == text + "+proto");
  CHECK(answer_type({{"content-type", text}, {"accept", binary}}) == binary + "+proto");
  CHECK(answer_type({{"content-type", text}, {"accept", "*/*"}}) == text + "+proto");
  CHECK(answer_type({{"content-type", binary}, {"accept", "*/*"}}) == binary + "+proto");
}

TEST_CASE("text that is not base64 is an error that a gRPC client understands") {
  for (const std::string text : {"AAA*", "A=AA", "AAAAA", "AA=A"}) {
    Web h;
    h.request("POST", {{"content-type", "application/grpc-web-text"}}, false);
    h.runner->requestData(text, true);
    CHECK(h.client.status == 200);
    CHECK(valueOf(h.client.headers, "grpc-status") == "13");
    CHECK(valueOf(h.client.headers, "content-type") == "application/grpc-web-text+proto");
    CHECK(h.client.complete);
  }
}

TEST_CASE("a response with nothing but a head keeps its status there") {
  Web h;
  h.request("POST", {{"content-type", "application/grpc-web"}}, true);
  h.respond(200, {{"content-type", "application/grpc"}, {"grpc-status", "7"}, {"grpc-message", "no"}}, true);
  CHECK(valueOf(h.client.headers, "grpc-status") == "7");
  CHECK(h.client.body.empty());
}

TEST_CASE("what the upstream answers without gRPC is told by status") {
  Web h;
  h.request("POST", {{"content-type", "application/grpc-web"}}, true);
  h.respond(503, {{"content-type", "text/html"}, {"content-length", "4"}}, false);
  h.runner->responseData("oops", true);
  CHECK(h.client.status == 200);
  CHECK(valueOf(h.client.headers, "grpc-status") == "14");
  CHECK(valueOf(h.client.headers, "content-length") == "(none)");
  CHECK(h.client.body.empty());
  CHECK(h.client.complete);
}

TEST_CASE("other requests pass untouched") {
  for (const std::string type : {"application/grpc", "application/json", "application/grpc-webx"}) {
    Web h;
    h.request("POST", {{"content-type", type}}, false);
    h.runner->requestData("AAA*", true);
    CHECK(h.terminal.body == "AAA*");
    CHECK(valueOf(h.terminal.headers, "content-type") == type);
    h.respond(200, {{"content-type", type}}, false);
    h.responseTrailers({{"grpc-status", "0"}});
    CHECK(h.client.trailers.size() == 1);
    CHECK(h.client.body.empty());
  }
}

TEST_CASE("it passes the interleaving suite") {
  const bool text = GENERATE(false, true);
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [] {
    return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>()};
  };
  const std::string trailers = framed("mark: response\r\n", 0x80);
  suite.request.headers = {{"content-type", text ? "application/grpc-web-text" : "application/grpc-web"}};
  suite.request.body = text ? base64("abc") + base64("d") : "abcd";
  suite.request_due = [](std::string_view) { return "abcd"; };
  suite.response.headers = {{"content-type", "application/grpc"}};
  suite.response.body = framed("x");
  suite.response_due = [=](std::string_view body) {
    return text ? base64(std::string(body)) + base64(trailers) : std::string(body) + trailers;
  };
  suite.response_trailers_due = 0;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_web
