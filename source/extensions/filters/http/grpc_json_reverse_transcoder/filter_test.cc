#include "source/extensions/filters/http/grpc_json_reverse_transcoder/filter.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "envoy/extensions/filters/http/grpc_json_reverse_transcoder/v3/transcoder.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/grpc_json_reverse_transcoder/factory.h"
#include "source/http/grpc.h"
#include "source/transcoding/test_library_service.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;
using Proto = envoy::extensions::filters::http::grpc_json_reverse_transcoder::v3::GrpcJsonReverseTranscoder;

// Fields of messages by hand, all below 128 bytes.
std::string text(int field, const std::string& value) {
  return std::string{static_cast<char>(field << 3 | 2), static_cast<char>(value.size())} + value;
}
std::string number(int field, int value) {
  return {static_cast<char>(field << 3), static_cast<char>(value)};
}

struct Compiled {
  explicit Compiled(const std::string& more = "",
                    const std::string& set = transcoding::testing::setOf(transcoding::testing::libraryFile())) {
    registerFactory(world.registry);
    Proto message;
    const std::string yaml =
        "{" + more + (more.empty() ? "" : ", ") + "descriptor_binary: '" + absl::Base64Escape(set) + "'}";
    if (!world.load(yaml, message)) return;
    const auto* found = world.registry.http_filters.find(message.GetDescriptor()->full_name());
    factory = found->compile(message, world.context());
    route = found->compileRoute(message, world.context());
  }
  config::testing::TestWorld world;
  std::shared_ptr<const filter::HttpFilterFactory> factory;
  std::shared_ptr<const route::PerFilterConfig> route;
};

struct Bed : Compiled, Harness {
  explicit Bed(const std::string& more = "",
               const std::string& set = transcoding::testing::setOf(transcoding::testing::libraryFile()))
      : Compiled(more, set), Harness({factory}) {
    CHECK(world.problems() == "");
  }
  void call(const std::string& method, const std::string& message) {
    stream.request().path = stream.arena().copy("/lib.Library/" + method);
    request("POST", {{"content-type", "application/grpc"}, {"te", "trailers"}}, false);
    runner->requestData(framed(message), true);
  }
  std::string sent() {
    return std::string(stream.request().method) + " " + std::string(stream.request().path) + " " + terminal.body;
  }
  std::string answer(uint16_t status, const std::string& body) {
    respond(status, {{"content-type", "application/json"}}, false);
    runner->responseData(body, true);
    return client.body;
  }
};

TEST_CASE("a call becomes a request, and its answer a message") {
  Bed h;
  h.call("GetBook",
         text(1, "shelves/a b/books/2") + number(2, 1) + number(7, 3) + number(7, 4) + text(4, text(1, "A&B")));
  CHECK(h.sent() == "GET /v1/shelves/a%20b/books/2?view=FULL&author.full_name=A%26B&ids=3&ids=4 ");
  CHECK(h.stream.request().get(http::Name::kContentType) == std::nullopt);
  CHECK(h.stream.request().get(http::Name::kXEnvoyOriginalPath) == "/lib.Library/GetBook");
  CHECK(h.answer(200, R"({"name":"n","unknown":1})") == framed(text(1, "n")));
  CHECK(h.client.trailers == Fields{{"grpc-status", "0"}});
}

TEST_CASE("a wrapped text stands in the query as it is, not as JSON writes it") {
  auto file = transcoding::testing::libraryFile();
  auto& note = *file.mutable_message_type(2)->add_field();
  note.set_name("note");
  note.set_number(10);
  note.set_label(google::protobuf::FieldDescriptorProto::LABEL_OPTIONAL);
  note.set_type(google::protobuf::FieldDescriptorProto::TYPE_MESSAGE);
  note.set_type_name(".google.protobuf.StringValue");
  Bed h("", transcoding::testing::setOf(file));
  h.call("GetBook", text(1, "shelves/1/books/2") + text(10, text(1, "a\"<b")));
  CHECK(h.sent() == "GET /v1/shelves/1/books/2?note=a%22%3Cb ");
}

TEST_CASE("a long list costs its length") {
  constexpr size_t kIds = 20000;
  std::string message = text(1, "shelves/1/books/2");
  for (size_t i = 0; i < kIds; ++i) message += number(7, 3);
  Bed h;
  h.call("GetBook", message);
  CHECK(h.stream.request().path.size() == std::string("/v1/shelves/1/books/2").size() + kIds * 6);
}

TEST_CASE("a body is the rest of the message, or a field of it") {
  Bed h;
  h.call("UpdateBook", text(1, "n") + text(4, text(1, "Me")));
  CHECK(h.sent() == R"(PATCH /v1/book/Me {"name":"n","author":{}})");
  Bed field;
  field.call("CreateBook", text(1, "shelves/1") + text(2, text(2, "t")));
  CHECK(field.sent() == R"(POST /v1/shelves/1/books {"title":"t"})");
  CHECK(field.stream.request().get(http::Name::kContentType) == "application/json");
  Bed empty;
  empty.call("CreateBook", text(1, "shelves/1"));
  CHECK(empty.sent() == "POST /v1/shelves/1/books {}");
}

TEST_CASE("an HTTP status is one of gRPC, with the body as its message") {
  Bed h;
  h.call("GetBook", text(1, "shelves/1/books/2"));
  CHECK(h.answer(404, "not here\n") == "");
  CHECK(h.client.status == 200);
  CHECK(h.client.trailers == Fields{{"grpc-status", "12"}, {"grpc-message", "not here%0A"}});
}

TEST_CASE("an answer that is not of its type is an error") {
  Bed h;
  h.call("GetBook", text(1, "shelves/1/books/2"));
  CHECK(h.answer(200, "{") == "");
  CHECK(h.client.trailers[0].second == "13");
  Bed field;
  field.call("Titles", "");
  CHECK(field.answer(200, R"([],"total":[])") == "");
}

TEST_CASE("an answer may be a field of the message") {
  Bed h;
  h.call("Titles", "");
  CHECK(h.sent() == "REPORT /v1/titles ");
  CHECK(h.answer(200, R"([{"name":"a"}])") == framed(text(1, text(1, "a"))));
}

TEST_CASE("what cannot stand in a path, or be read, is refused") {
  for (const std::string& message : {std::string(), text(1, "a/../../b"), text(1, "..")}) {
    Bed h;
    h.call("GetBook", message);
    CHECK(h.terminal.heads == 0);
    CHECK(h.client.headers[0].second != "");
    CHECK(h.stream.info().response_code_details == "grpc_json_reverse_transcode_failure{INVALID_ARGUMENT}");
  }
  Bed within;  // a segment of its own, encoded
  within.call("UpdateBook", text(4, text(1, "a/../b")));
  CHECK(within.terminal.heads == 0);
  Bed broken;
  broken.call("GetBook", "\xff");
  CHECK(broken.terminal.heads == 0);
}

TEST_CASE("streams, unknown methods and other requests pass") {
  for (const std::string method : {"ListBooks", "Plain", "Nothing"}) {
    Bed h;
    h.call(method, "");
    CHECK(h.stream.request().path == "/lib.Library/" + method);
    CHECK(h.terminal.body == framed(""));
  }
  Bed plain;
  plain.stream.request().path = "/lib.Library/GetBook";
  plain.request("POST", {{"content-type", "application/json"}}, true);
  CHECK(plain.stream.request().method == "POST");
}

TEST_CASE("JSON is printed as is asked") {
  const auto sent = [](const std::string& options) {
    Bed h("request_json_print_options: {" + options + "}");
    h.call("Archive", text(1, "x") + text(4, text(1, "A")));
    return h.terminal.body;
  };
  CHECK(sent("") == R"({"author":{"full_name":"A"}})");
  CHECK(sent("use_canonical_field_names: true") == R"({"author":{"fullName":"A"}})");
  CHECK(sent("always_print_primitive_fields: true") ==
        R"({"name":"","title":"","tags":[],"author":{"full_name":"A"},"pages":"0"})");
}

TEST_CASE("a route has a set of its own") {
  const Compiled some, none("", "");
  Harness off({some.factory}, {none.route});
  off.stream.request().path = "/lib.Library/GetBook";
  off.request("POST", {{"content-type", "application/grpc"}}, true);
  CHECK(off.terminal.heads == 1);
}

TEST_CASE("what cannot be is refused where it stands") {
  CHECK_THAT(Compiled("", "text").world.problems(), Catch::Contains("descriptor_binary: is no descriptor set"));
  CHECK_THAT(Compiled("descriptor_path: /nowhere").world.problems(), Catch::Contains("descriptor_path"));
}

TEST_CASE("it passes the interleaving suite") {
  const auto compiled = std::make_shared<Compiled>();
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return std::vector{compiled->factory}; };
  suite.request = {{{"content-type", "application/grpc"}}, framed(text(1, "n") + text(4, text(1, "M"))), true};
  suite.request.path = "/lib.Library/UpdateBook";
  suite.request_due = [](std::string_view) { return R"({"name":"n","author":{}})"; };
  suite.response = {{}, R"({"name":"b"})", true};
  suite.response_due = [](std::string_view) { return framed(text(1, "b")); };
  suite.response_trailers_due = 2;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_json_reverse_transcoder
