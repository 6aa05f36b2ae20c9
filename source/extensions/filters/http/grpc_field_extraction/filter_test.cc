#include "source/extensions/filters/http/grpc_field_extraction/filter.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "envoy/extensions/filters/http/grpc_field_extraction/v3/config.pb.h"
#include "source/extensions/filters/http/grpc_field_extraction/factory.h"
#include "source/http/grpc.h"
#include "source/transcoding/test_library_service.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::grpc_field_extraction {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;
using http::grpc::framed;
using Proto = envoy::extensions::filters::http::grpc_field_extraction::v3::GrpcFieldExtractionConfig;

const Fields kGrpc{{"content-type", "application/grpc"}};
constexpr char kUpload[] = "lib.Library.Upload: {request_field_extractions: {title: {}, tags: {}}}";

// lib.Book with a title and two tags.
const std::string kBook = std::string("\x12\x04") + "Dune" + "\x1a\x01x" + "\x1a\x01y";

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory) {}

  auto compileWith(const std::string& yaml) { return FilterWorld::compile(yaml); }
  auto compile(const std::string& methods) {
    const std::string set = transcoding::testing::setOf(transcoding::testing::libraryFile());
    return compileWith("{descriptor_set: {inline_bytes: '" + absl::Base64Escape(set) + "'}, extractions_by_method: {" +
                       methods + "}}");
  }
};

struct Bed : World, Harness {
  explicit Bed(const std::string& methods = kUpload) : Harness({compile(methods)}) { CHECK(problems() == ""); }
  void ask(const std::string& path = "/lib.Library/Upload", const Fields& fields = kGrpc, bool end_stream = false) {
    stream.request().path = path;
    request("POST", fields, end_stream);
  }
  std::string found(const std::string& name) {
    const auto* const value = stream.info().metadata().find("envoy.filters.http.grpc_field_extraction", {name});
    if (value == nullptr) return "(none)";
    std::string out;
    for (const auto& each : std::get<stream::MetadataList>(value->value))
      out += std::get<std::string>(each.value) + ",";
    return out;
  }
  std::string refusal() {
    CHECK(terminal.heads == 0);
    return std::string(stream.info().response_code_details);
  }
};

TEST_CASE("fields of the first message become metadata before the head goes on, and the rest follows unread") {
  Bed bed;
  const std::string frame = framed(kBook);

  bed.ask();
  bed.runner->requestData(frame.substr(0, 3), false);
  bed.runner->requestData(frame.substr(3, 9), false);
  CHECK(bed.terminal.heads == 0);
  bed.runner->requestData(frame.substr(12) + "beh", false);

  CHECK(bed.terminal.heads == 1);
  CHECK(bed.found("title") == "Dune,");
  CHECK(bed.found("tags") == "x,y,");
  bed.runner->requestData("ind", true);
  CHECK(bed.terminal.body == frame + "behind");
  CHECK(bed.terminal.complete);
}

TEST_CASE("a field that is not there is an empty list") {
  Bed bed;
  bed.ask();
  bed.runner->requestData(framed(""), true);

  CHECK(bed.terminal.complete);
  CHECK(bed.found("title") == "");
}

TEST_CASE("other methods and requests that are not gRPC go on at once") {
  Bed other;
  other.ask("/lib.Library/GetBook");
  CHECK(other.terminal.heads == 1);

  Bed plain;
  plain.ask("/lib.Library/Upload", {{"content-type", "application/json"}});
  CHECK(plain.terminal.heads == 1);
  CHECK(plain.found("title") == "(none)");
}

TEST_CASE("a query does not lead past it") {
  Bed bed;
  bed.ask("/lib.Library/Upload?x=1/2");
  bed.runner->requestData(framed(kBook), true);

  CHECK(bed.found("title") == "Dune,");
}

TEST_CASE("what cannot be read is refused as gRPC") {
  const auto refused = [](const std::string& body) {
    Bed bed;
    bed.ask("/lib.Library/Upload", kGrpc, body.empty());
    if (!body.empty()) bed.runner->requestData(body, true);
    CHECK(bed.client.status == 200);
    return bed.refusal();
  };
  std::string compressed = framed(kBook);
  compressed[0] = 1;
  std::string large = framed("");
  large[1] = 1;

  CHECK(refused("") == "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_OUT_OF_DATA}");
  CHECK(refused(framed(kBook).substr(0, 4)) ==
        "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_BUFFER_CONVERSION_FAIL}");
  CHECK(refused(framed(kBook).substr(0, 9)) ==
        "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_BUFFER_CONVERSION_FAIL}");
  CHECK(refused(compressed) == "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_BUFFER_CONVERSION_FAIL}");
  CHECK(refused(large) == "grpc_field_extraction_FAILED_PRECONDITION{REQUEST_BUFFER_CONVERSION_FAIL}");
  CHECK(refused(framed("\x12\x7fx")) == "grpc_field_extraction_INVALID_ARGUMENT{REQUEST_FIELD_EXTRACTION_FAILED}");
}

TEST_CASE("a gRPC request whose path is no method is refused") {
  Bed bed;
  bed.ask("/Upload");
  CHECK(bed.refusal() == "grpc_field_extraction_INVALID_ARGUMENT{BAD_REQUEST}");
}

TEST_CASE("methods and fields that are not in the set are refused") {
  const auto problem = [](const std::string& methods) {
    World world;
    CHECK_FALSE(world.compile(methods));
    return world.problems();
  };

  CHECK_THAT(problem("lib.Library.None: {}"), Catch::Contains("is no method of the descriptor set"));
  CHECK_THAT(problem("lib.Library.Upload: {request_field_extractions: {none: {}}}"),
             Catch::Contains("'none' is no field of lib.Book"));
  World world;
  CHECK_FALSE(world.compileWith("{descriptor_set: {inline_string: x}}"));
  CHECK_THAT(world.problems(), Catch::Contains("descriptor_set: is no descriptor set"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{world.compile(kUpload)}; };
  suite.request = {kGrpc, framed("\x12\x01t"), true, "POST", "/lib.Library/Upload"};

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::grpc_field_extraction
