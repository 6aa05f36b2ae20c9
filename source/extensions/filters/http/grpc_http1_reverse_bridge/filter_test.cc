#include "source/extensions/filters/http/grpc_http1_reverse_bridge/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3/config.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/grpc_http1_reverse_bridge/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;
namespace v3 = envoy::extensions::filters::http::grpc_http1_reverse_bridge::v3;

const Fields kGrpc = {{"content-type", "application/grpc+proto"}};
const std::string kWithhold = "withhold_grpc_frames: true";

struct Compiled {
  explicit Compiled(const std::string& more, const std::string& route = "") {
    registerFactory(world.registry);
    v3::FilterConfig message;
    REQUIRE(world.load("{content_type: application/p" + (more.empty() ? "" : ", " + more) + "}", message));
    const auto* found = world.registry.http_filters.find(message.GetDescriptor()->full_name());
    factory = found->compile(message, world.context());
    v3::FilterConfigPerRoute per_route;
    if (!route.empty() && world.load(route, per_route)) settings = found->compileRoute(per_route, world.context());
  }
  config::testing::TestWorld world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  std::shared_ptr<const route::PerFilterConfig> settings;
};

struct Bridge : Compiled, Harness {
  explicit Bridge(const std::string& more = "", const std::string& route = "")
      : Compiled(more, route), Harness({factory}, {settings}) {}
  void ask(const std::string& body) {
    request("POST", kGrpc, false);
    runner->requestData(body, true);
  }
  std::string of(std::string_view name) const {
    for (const auto& [key, value] : client.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  std::string status() const { return client.trailers.empty() ? of("grpc-status") : client.trailers[0].second; }
};

TEST_CASE("a request gets the service's type, its answer trailers") {
  Bridge h;
  h.ask(framed("ab"));
  CHECK(h.terminal.body == framed("ab"));
  CHECK(h.terminal.headers == Fields{{"content-type", "application/p"}, {"accept", "application/p"}});
  h.respond(200, {{"content-type", "application/p"}, {"content-length", "6"}}, false);
  h.runner->responseData(framed("c"), true);
  CHECK(h.client.body == framed("c"));
  CHECK(h.of("content-type") == "application/grpc+proto");
  CHECK(h.client.trailers == Fields{{"grpc-status", "0"}});
}

TEST_CASE("frames stay here if that is wanted, wherever they are cut") {
  const std::string whole = framed("ab");
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    Bridge h(kWithhold);
    Fields fields = kGrpc;
    fields.emplace_back("content-length", "7");
    h.request("POST", fields, false);
    h.runner->requestData(whole.substr(0, cut), false);
    h.runner->requestData(whole.substr(cut), true);
    CHECK(h.terminal.body == "ab");
    CHECK(h.stream.request().get(http::Name::kContentLength) == "2");
    h.respond(200, {{"content-type", "application/p"}}, false);
    h.runner->responseData("c", false);
    CHECK(h.client.heads == 0);  // nobody has told how large it is
    h.runner->responseData("d", true);
    CHECK(h.client.body == framed("cd"));
    CHECK(h.client.trailers == Fields{{"grpc-status", "0"}});
  }
}

TEST_CASE("an answer that is passed on as it is changes nothing for the rest of the request") {
  Bridge h(kWithhold);
  h.request("POST", kGrpc, false);
  const std::string whole = framed("ab");
  h.runner->requestData(whole.substr(0, 2), false);
  h.respond(200, {{"content-type", "application/grpc"}}, false);
  h.runner->requestData(whole.substr(2), true);
  CHECK(h.terminal.body == "ab");
}

TEST_CASE("an answer of known size does not wait for its end") {
  const bool by_field = GENERATE(false, true);
  Bridge h(kWithhold + (by_field ? ", response_size_header: X-Size" : ""));
  h.ask(framed("ab"));
  h.respond(200, {{"content-type", "application/p"}, {by_field ? "x-size" : "content-length", "2"}}, false);
  h.runner->responseData("c", false);
  CHECK(h.client.body == framed("cd").substr(0, 6));
  h.runner->responseData("d", true);
  CHECK(h.client.body == framed("cd"));
  CHECK(h.client.complete);
}

TEST_CASE("an answer of another size than was told is cut") {
  for (const std::string body : {"c", "cde"}) {
    Bridge h(kWithhold + ", response_size_header: x-size");
    h.ask(framed("ab"));
    h.respond(200, {{"content-type", "application/p"}, {"x-size", "2"}}, false);
    h.runner->responseData(body, true);
    CHECK_FALSE(h.client.complete);
  }
}

TEST_CASE("an answer without a body is an empty message") {
  Bridge h(kWithhold);
  h.ask(framed(""));
  h.respond(200, {{"content-type", "application/p"}}, true);
  CHECK(h.client.body == framed(""));
  CHECK(h.client.trailers == Fields{{"grpc-status", "0"}});
}

TEST_CASE("an HTTP status is one of gRPC") {
  Bridge h;
  h.ask(framed("ab"));
  h.respond(404, {{"content-type", "application/p"}}, true);
  CHECK(h.client.status == 200);
  CHECK(h.status() == "12");
}

TEST_CASE("another content type is an error that says what came") {
  Bridge h;
  h.ask(framed("ab"));
  h.respond(503, {{"content-type", "text/html"}}, false);
  CHECK(h.client.status == 200);
  CHECK(h.of("grpc-status") == "2");
  CHECK_THAT(h.of("grpc-message"), Catch::Contains("503") && Catch::Contains("text/html"));
  CHECK(h.stream.info().response_code_details == "grpc_bridge_content_type_wrong");
}

TEST_CASE("a request that is no frame is refused") {
  Bridge h(kWithhold);
  h.ask("abc");
  CHECK(h.of("grpc-status") == "2");
  CHECK(h.stream.info().response_code_details == "grpc_bridge_data_too_small");
}

TEST_CASE("other requests, and routes without it, pass") {
  Bridge other;
  other.request("POST", {{"content-type", "text/plain"}}, true);
  CHECK(other.terminal.headers == Fields{{"content-type", "text/plain"}});
  Bridge off("", "disabled: true");
  off.ask(framed("ab"));
  CHECK(off.terminal.headers == kGrpc);
}

TEST_CASE("it passes the interleaving suite") {
  const bool sized = GENERATE(false, true);
  const auto compiled = std::make_shared<Compiled>(kWithhold);
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{compiled->factory}; };
  suite.request = {kGrpc, framed("ab"), true};
  suite.request_due = [](std::string_view) { return "ab"; };
  suite.response.headers = {{"content-type", "application/p"}};
  if (sized) suite.response.headers.emplace_back("content-length", "3");
  suite.response_due = [](std::string_view body) { return framed(body); };
  suite.response_trailers_due = 2;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_http1_reverse_bridge
