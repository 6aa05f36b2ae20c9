#include "source/extensions/filters/http/grpc_http1_bridge/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/grpc_http1_bridge/factory.h"
#include "source/http/grpc.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_http1_bridge {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;

std::shared_ptr<const filter::HttpFilterFactory> compiled(const std::string& yaml = "{}") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::filters::http::grpc_http1_bridge::v3::Config message;
  REQUIRE(world.load(yaml, message));
  return world.registry.http_filters.find(message.GetDescriptor()->full_name())->compile(message, world.context());
}

struct Bridge : Harness {
  explicit Bridge(const std::string& yaml = "{}") : Harness({compiled(yaml)}) {}
  void answer(const std::string& body, const Fields& trailers) {
    respond(200, {{"content-type", "application/grpc"}}, false);
    if (!body.empty()) runner->responseData(body, false);
    responseTrailers(trailers);
  }
  std::string of(std::string_view name) const {
    for (const auto& [key, value] : client.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
};

const Fields kGrpc = {{"content-type", "application/grpc"}};

TEST_CASE("what trailers say stands in the head") {
  Bridge h;
  h.request("POST", kGrpc, true);
  h.answer(framed("ab"), {{"grpc-status", "0"}});
  CHECK(h.client.status == 200);
  CHECK(h.of("grpc-status") == "0");
  CHECK(h.client.body == framed("ab"));
  CHECK(h.of("content-length") == "7");
  CHECK(h.client.trailers.empty());
  CHECK(h.client.complete);
}

TEST_CASE("an error is a 503 with its status and message") {
  Bridge h;
  h.request("POST", kGrpc, true);
  h.answer("", {{"grpc-status", "5"}, {"grpc-message", "gone"}});
  CHECK(h.client.status == 503);
  CHECK(h.of("grpc-status") == "5");
  CHECK(h.of("grpc-message") == "gone");
}

TEST_CASE("clients of HTTP/2, other requests and other answers pass") {
  Bridge h2;
  h2.stream.request().protocol = http::Protocol::kHttp2;
  h2.request("POST", kGrpc, true);
  h2.answer(framed("ab"), {{"grpc-status", "5"}});
  CHECK(h2.client.status == 200);
  CHECK(h2.client.trailers == Fields{{"grpc-status", "5"}});
  Bridge plain;
  plain.request("POST", {{"content-type", "application/x-protobuf"}}, false);
  plain.runner->requestData("ab", true);
  CHECK(plain.terminal.body == "ab");
  Bridge html;
  html.request("POST", kGrpc, true);
  html.respond(502, {{"content-type", "text/html"}}, false);
  html.runner->responseData("x", true);
  CHECK(html.client.body == "x");
}

TEST_CASE("a message without a frame gets one, and its answer loses it") {
  Bridge h("upgrade_protobuf_to_grpc: true");
  h.stream.request().path = "/s/m?a";
  h.request("POST", {{"content-type", "application/x-protobuf"}, {"content-length", "2"}}, false);
  h.runner->requestData("ab", true);
  CHECK(h.terminal.body == framed("ab"));
  CHECK(h.terminal.headers ==
        Fields{{"content-type", "application/grpc"}, {"content-length", "7"}, {"te", "trailers"}});
  CHECK(h.stream.request().path == "/s/m?a");
  h.answer(framed("cd"), {{"grpc-status", "0"}});
  CHECK(h.client.body == "cd");
  CHECK(h.of("content-type") == "application/x-protobuf");
}

TEST_CASE("the query goes off if that is wanted") {
  Bridge h("{upgrade_protobuf_to_grpc: true, ignore_query_parameters: true}");
  h.stream.request().path = "/s/m?a";
  h.request("POST", {{"content-type", "application/protobuf"}}, true);
  CHECK(h.stream.request().path == "/s/m");
  CHECK(h.terminal.body == framed(""));
}

TEST_CASE("it passes the interleaving suite") {
  const auto factory = compiled("upgrade_protobuf_to_grpc: true");
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{factory}; };
  suite.request.headers = {{"content-type", "application/x-protobuf"}};
  suite.request_due = [](std::string_view body) { return framed(body); };
  suite.response.headers = kGrpc;
  suite.response.body = framed("x");
  suite.response_due = [](std::string_view) { return "x"; };
  suite.response_trailers_due = 0;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_http1_bridge
