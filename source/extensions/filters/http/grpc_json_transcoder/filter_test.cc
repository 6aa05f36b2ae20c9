#include "source/extensions/filters/http/grpc_json_transcoder/filter.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/grpc_json_transcoder/factory.h"
#include "source/http/grpc.h"
#include "source/transcoding/test_library_service.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_json_transcoder {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;
using Proto = envoy::extensions::filters::http::grpc_json_transcoder::v3::GrpcJsonTranscoder;

// Fields of messages by hand, all below 128 bytes.
std::string text(int field, const std::string& value) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(value.size())} + value;
}

// A filter as configured. `fields` in flow style, without the descriptor set.
struct Compiled {
  explicit Compiled(const std::string& fields = "services: [lib.Library]",
                    const std::string& set = transcoding::testing::setOf(transcoding::testing::libraryFile())) {
    registerFactory(world.registry);
    Proto message;
    const std::string yaml =
        "{" + fields + (fields.empty() ? "" : ", ") + "proto_descriptor_bin: '" + absl::Base64Escape(set) + "'}";
    if (!world.load(yaml, message)) return;
    const auto* found = world.registry.http_filters.find(message.GetDescriptor()->full_name());
    factory = found->compile(message, world.context("http.p."));
    route = found->compileRoute(message, world.context("http.p."));
  }

  config::testing::TestWorld world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  std::shared_ptr<const route::PerFilterConfig> route;
};

struct Bed : Compiled, Harness {
  explicit Bed(const std::string& more = "")
      : Compiled("services: [lib.Library]" + (more.empty() ? "" : ", " + more)), Harness({factory}) {
    CHECK(world.problems() == "");
  }
  void get(const std::string& path) { ask("GET", path, {}, true); }
  void ask(const std::string& method, const std::string& path, const Fields& fields, bool end_stream) {
    stream.request().path = stream.arena().copy(path);
    request(method, fields, end_stream);
  }
  // The whole answer of a gRPC server.
  void answer(const std::string& body, const Fields& trailers) {
    respond(200, {{"content-type", "application/grpc"}}, false);
    if (!body.empty()) runner->responseData(body, false);
    responseTrailers(trailers);
  }
  std::string details() { return std::string(stream.info().response_code_details); }
};

std::string of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

TEST_CASE("a request becomes a call, and its answer JSON") {
  Bed h;
  h.get("/v1/books/a");
  CHECK(h.terminal.body == framed(text(1, "a")));
  CHECK(h.stream.request().path == "/lib.Library/GetBook");
  CHECK(h.stream.request().method == "POST");
  CHECK(of(h.terminal.headers, "content-type") == "application/grpc");
  CHECK(of(h.terminal.headers, "te") == "trailers");
  CHECK(of(h.terminal.headers, "x-envoy-original-path") == "/v1/books/a");
  CHECK(of(h.terminal.headers, "x-envoy-original-method") == "GET");

  h.answer(framed(text(1, "b")), {{"grpc-status", "0"}, {"mark", "1"}});

  CHECK(h.client.status == 200);
  CHECK(h.client.body == R"({"name":"b"})");
  CHECK(of(h.client.headers, "content-type") == "application/json");
  CHECK(of(h.client.headers, "grpc-status") == "0");
  CHECK(h.client.trailers == Fields{{"mark", "1"}});
  CHECK(h.client.complete);
}

TEST_CASE("a body is read when it is whole") {
  Bed h;
  h.ask("POST", "/v1/shelves/1/books", {{"content-type", "application/json"}, {"content-length", "13"}}, false);
  h.runner->requestData(R"({"title)", false);
  CHECK(h.terminal.heads == 0);
  h.runner->requestData(R"(":"t"})", true);
  CHECK(h.terminal.body == framed(text(2, text(2, "t")) + text(1, "shelves/1")));
}

TEST_CASE("a body that cannot be read is the client's fault, and told as it can be read") {
  Bed h;
  h.ask("POST", "/v1/shelves/1/books", {{"content-type", "application/json"}}, false);
  h.runner->requestData("{", true);
  CHECK(h.client.status == 400);
  CHECK(of(h.client.headers, "content-type") == "text/plain");
  CHECK(h.details() == "grpc_json_transcode_failure{INVALID_ARGUMENT}");
  CHECK(h.terminal.heads == 0);
}

TEST_CASE("what no method takes passes, or is refused") {
  const auto status = [](const std::string& path, const std::string& config) {
    Bed h(config);
    h.get(path);
    return h.terminal.heads == 1 ? h.terminal.body + "passed" : std::to_string(h.client.status) + " " + h.details();
  };
  const std::string methods = "request_validation_options: {reject_unknown_method: true}";
  const std::string parameters = "request_validation_options: {reject_unknown_query_parameters: true}";
  CHECK(status("/other", "") == "passed");
  CHECK(status("/other", parameters) == "passed");
  CHECK(status("/other", methods) == "404 early_grpc_json_transcode_failure{NOT_FOUND}");
  CHECK(status("/v1/books/a?no=1", "") == "passed");
  CHECK(status("/v1/books/a?no=1", methods) == "passed");
  CHECK(status("/v1/books/a?no=1", parameters) == "400 early_grpc_json_transcode_failure{INVALID_ARGUMENT}");
}

TEST_CASE("gRPC passes untouched") {
  Bed h("auto_mapping: true");
  h.ask("POST", "/lib.Library/Plain", {{"content-type", "application/grpc"}}, false);
  h.runner->requestData("bytes", true);
  CHECK(h.terminal.body == "bytes");
  h.answer("bytes", {{"grpc-status", "0"}});
  CHECK(h.client.body == "bytes");
}

TEST_CASE("an error of gRPC is an HTTP status") {
  const bool head_only = GENERATE(false, true);
  const bool convert = GENERATE(false, true);
  Bed h(convert ? "convert_grpc_status: true" : "");
  h.get("/v1/books/a");
  const Fields error = {{"grpc-status", "5"}, {"grpc-message", "not%20here"}};
  if (head_only) {
    Fields fields = error;
    fields.emplace_back("content-type", "application/grpc");
    h.respond(200, fields, true);
  } else {
    h.answer("", error);
  }
  CHECK(h.client.status == 404);
  CHECK(h.client.body == (convert ? R"({"code":5,"message":"not here"})" : ""));
  CHECK(of(h.client.headers, "content-type") == (convert ? "application/json" : "(none)"));
  CHECK(of(h.client.headers, "grpc-status") == "5");
  CHECK(of(h.client.headers, "grpc-message") == (convert ? "(none)" : "not here"));
  CHECK(h.client.trailers.empty());
  CHECK(h.client.complete);
}

TEST_CASE("an answer that is not one message is a bad gateway") {
  for (const std::string& body :
       {std::string(), framed("") + framed(""), framed(text(1, "a")).substr(0, 6), "\1" + framed("").substr(1)}) {
    Bed h;
    h.get("/v1/books/a");
    h.answer(body, {{"grpc-status", "0"}});
    CHECK(h.client.status == 502);
    CHECK(h.details() == "grpc_json_transcode_failure{INTERNAL}");
  }
}

TEST_CASE("an answer that is not gRPC passes") {
  Bed h;
  h.get("/v1/books/a");
  h.respond(503, {{"content-type", "text/plain"}}, false);
  h.runner->responseData("down", true);
  CHECK(h.client.status == 503);
  CHECK(h.client.body == "down");
}

TEST_CASE("a stream of requests goes on behind an answer that is not gRPC") {
  Bed h;
  h.ask("POST", "/v1/upload?title=t", {}, false);
  h.respond(503, {{"content-type", "text/plain"}}, false);
  h.runner->requestData(R"([{"name":"a"}])", true);
  h.runner->responseData("down", true);
  CHECK(h.terminal.body == framed(text(1, "a") + text(2, "t")));
  CHECK(h.client.body == "down");
}

TEST_CASE("a stream of answers is an array, lines or events, each as it comes") {
  const auto streamed = [](const std::string& config, const std::string& type) {
    Bed h(config);
    h.get("/v1/list/a");
    h.respond(200, {{"content-type", "application/grpc"}}, false);
    h.runner->responseData(framed(text(1, "b")), false);
    CHECK_THAT(h.client.body, Catch::Contains(R"({"name":"b"})"));
    h.runner->responseData(framed(text(1, "c")), false);
    h.responseTrailers({{"grpc-status", "0"}});
    CHECK(of(h.client.headers, "content-type") == type);
    CHECK(h.client.complete);
    return h.client.body;
  };
  CHECK(streamed("", "application/json") == R"([{"name":"b"},{"name":"c"}])");
  CHECK(streamed("print_options: {stream_newline_delimited: true}", "application/json") ==
        "{\"name\":\"b\"}\n{\"name\":\"c\"}\n");
  CHECK(streamed("print_options: {stream_sse_style_delimited: true}", "text/event-stream") ==
        "data: {\"name\":\"b\"}\n\ndata: {\"name\":\"c\"}\n\n");
  // With white space, too.
  Bed h("print_options: {add_whitespace: true, stream_newline_delimited: true}");
  h.get("/v1/list/a");
  h.answer(framed(text(1, "b")) + framed(text(1, "c")), {{"grpc-status", "0"}});
  CHECK(std::count(h.client.body.begin(), h.client.body.end(), '\n') == 2);
}

TEST_CASE("a stream without messages is an empty array, or its error") {
  Bed h;
  h.get("/v1/list/a");
  h.answer("", {{"grpc-status", "0"}});
  CHECK(h.client.body == "[]");
  Bed head_only;
  head_only.get("/v1/list/a");
  head_only.respond(200, {{"content-type", "application/grpc"}, {"grpc-status", "0"}}, true);
  CHECK(head_only.client.status == 200);
  CHECK(head_only.client.body == "[]");
  Bed failed;
  failed.get("/v1/list/a");
  failed.respond(200, {{"content-type", "application/grpc"}, {"grpc-status", "7"}}, true);
  CHECK(failed.client.status == 403);
}

TEST_CASE("an array of requests is a stream, each message when it is whole") {
  Bed h;
  h.ask("POST", "/v1/upload", {}, false);
  h.runner->requestData(R"([{"name":"a"},{"na)", false);
  CHECK(h.terminal.body == framed(text(1, "a")));
  h.runner->requestData(R"(me":"b"}])", true);
  CHECK(h.terminal.body == framed(text(1, "a")) + framed(text(1, "b")));
  CHECK(h.terminal.complete);
  for (const std::string wrong : {"[{\"name\":\"a\"}", "{}", "[{\"name\":1}]"}) {
    Bed broken;
    broken.ask("POST", "/v1/upload", {}, false);
    broken.runner->requestData(wrong, true);
    CHECK(broken.client.status == 400);
  }
}

TEST_CASE("bodies are bounded") {
  Bed h("max_request_body_size: 4");
  h.ask("POST", "/v1/shelves/1/books", {}, false);
  h.runner->requestData("{    }", true);
  CHECK(h.client.status == 413);
  Bed answer("max_response_body_size: 4");
  answer.get("/v1/books/a");
  answer.answer(framed(text(1, "abcd")), {{"grpc-status", "0"}});
  CHECK(answer.client.status == 500);
}

TEST_CASE("a route has services of its own, or none") {
  const Compiled none(""), some;
  Harness off({some.factory}, {none.route});
  off.stream.request().path = "/v1/books/a";
  off.request("GET", {}, true);
  CHECK(off.stream.request().path == "/v1/books/a");
  Harness on({none.factory}, {some.route});
  on.stream.request().path = "/v1/books/a";
  on.request("GET", {}, true);
  CHECK(on.stream.request().path == "/lib.Library/GetBook");
}

TEST_CASE("what cannot be is refused where it stands") {
  CHECK_THAT(Compiled("services: [lib.Nobody]").world.problems(),
             Catch::Contains("services: the descriptor set has no"));
  CHECK_THAT(Compiled("services: [a]", "text").world.problems(),
             Catch::Contains("proto_descriptor_bin: is no descriptor set"));
  Compiled file("");
  Proto message;
  REQUIRE(file.world.load("{proto_descriptor: /nowhere, services: [a]}", message));
  const auto* factory = file.world.registry.http_filters.find(Proto::descriptor()->full_name());
  CHECK(factory->compile(message, file.world.context()) == nullptr);
  CHECK_THAT(file.world.problems(), Catch::Contains("proto_descriptor"));
}

TEST_CASE("it passes the interleaving suite") {
  auto proto = transcoding::testing::libraryFile();
  transcoding::testing::setRule(*proto.mutable_service(0)->mutable_method(7), "post: '/' body: '*'");
  const auto compiled = std::make_shared<Compiled>("services: [lib.Library], match_incoming_request_route: true",
                                                   transcoding::testing::setOf(proto));
  REQUIRE(compiled->factory);
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{compiled->factory}; };
  suite.request = {{{"content-type", "application/json"}}, R"({"name":"a"})", true};
  suite.request_due = [](std::string_view) { return framed(text(1, "a")); };
  suite.response = {{{"content-type", "application/grpc"}, {"grpc-status", "0"}}, framed(text(1, "b")), true};
  suite.response_due = [](std::string_view) { return R"({"name":"b"})"; };
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_json_transcoder
