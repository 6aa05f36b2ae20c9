#include "source/extensions/filters/http/decompressor/filter.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/filters/http/decompressor/v3/decompressor.pb.h"
#include "google/protobuf/empty.pb.h"
#include "source/compression/test_library.h"
#include "source/config/compression_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/filters/http/decompressor/factory.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions::http_filters::decompressor {
namespace {

using filter::testing::Fields;
using filter::testing::Harness;

class TestLibraryFactory : public config::DecompressorConfigFactory {
 public:
  std::string_view configType() const override { return "google.protobuf.Empty"; }
  std::shared_ptr<const compression::DecompressorLibrary> compile(const google::protobuf::Message&,
                                                                  config::FactoryContext) const override {
    return std::make_shared<compression::testing::TestDecompressorLibrary>();
  }
};

// A filter as configured. `fields` in flow style, without the library.
struct Compiled {
  explicit Compiled(const std::string& fields, const std::string& name = "Lib") {
    google::protobuf::Empty::default_instance();  // linked
    registerFactory(world.registry);
    world.registry.decompressors.add(std::make_unique<TestLibraryFactory>());
    envoy::extensions::filters::http::decompressor::v3::Decompressor message;
    const std::string yaml = "{" + fields + (fields.empty() ? "" : ", ") + "decompressor_library: {name: '" + name +
                             "', typed_config: {'@type': type.googleapis.com/google.protobuf.Empty}}}";
    if (!world.load(yaml, message)) return;
    const auto* found = world.registry.http_filters.find(message.GetDescriptor()->full_name());
    factory = found->compile(message, holding.context(world.at, "http.p."));
  }

  config::testing::TestWorld world;
  config::Holding holding{world.services};
  std::shared_ptr<const filter::HttpFilterFactory> factory;
};

struct Bed : Compiled, Harness {
  explicit Bed(const std::string& fields = "") : Compiled(fields), Harness({factory}) { CHECK(world.problems() == ""); }

  int64_t stat(const std::string& name) {
    const auto* known = world.stats.find("http.p.decompressor.Lib.turned." + name);
    return known == nullptr ? -1 : static_cast<int64_t>(stream.cells().read(known->id));
  }
};

std::string of(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "(none)";
}

const Fields kEncoded = {{"content-encoding", "turned"}, {"content-length", "6"}};

TEST_CASE("a request is decoded, and trailers tell its size") {
  Bed h;
  h.request("POST", kEncoded, false);
  h.runner->requestData("AB", false);
  h.runner->requestData("3C.", true);
  CHECK(h.terminal.body == "abaaac");
  CHECK(of(h.terminal.headers, "content-encoding") == "(none)");
  CHECK(of(h.terminal.headers, "content-length") == "(none)");
  CHECK(h.terminal.trailers == Fields{{"x-envoy-decompressor-lib-compressed-bytes", "5"},
                                      {"x-envoy-decompressor-lib-uncompressed-bytes", "6"}});
  CHECK(h.stat("request.decompressed") == 1);
  CHECK(h.stat("request.total_compressed_bytes") == 5);
  CHECK(h.stat("request.total_uncompressed_bytes") == 6);
}

TEST_CASE("a response is decoded, in front of trailers that it has") {
  Bed h;
  h.request("GET", {}, true);
  h.respond(200, {{"content-encoding", "turned"}, {"etag", "\"a\""}, {"accept-ranges", "bytes"}}, false);
  h.runner->responseData("XY.", false);
  CHECK(h.client.body == "xy");
  h.responseTrailers({{"mark", "1"}});
  CHECK(h.client.trailers == Fields{{"mark", "1"},
                                    {"x-envoy-decompressor-lib-compressed-bytes", "3"},
                                    {"x-envoy-decompressor-lib-uncompressed-bytes", "2"}});
  CHECK(of(h.client.headers, "etag") == "W/\"a\"");
  CHECK(of(h.client.headers, "accept-ranges") == "(none)");
  CHECK(h.stat("response.decompressed") == 1);
}

TEST_CASE("only the coding that was put on last comes off") {
  const auto left = [](const Fields& fields) {
    Bed h;
    h.request("POST", fields, false);
    h.runner->requestData("A.", true);
    return of(h.terminal.headers, "content-encoding") + " " + h.terminal.body;
  };
  CHECK(left({{"content-encoding", "br, Turned"}}) == "br a");
  CHECK(left({{"content-encoding", "br"}, {"content-encoding", "turned"}}) == "br a");
  CHECK(left({{"content-encoding", "turned, br"}}) == "turned, br A.");
  CHECK(left({{"content-encoding", "br"}}) == "br A.");
}

TEST_CASE("what must stay as it is does") {
  const auto body = [](const Fields& more, const std::string& config = "") {
    Bed h(config);
    Fields fields = kEncoded;
    fields.insert(fields.end(), more.begin(), more.end());
    h.request("POST", fields, false);
    h.runner->requestData("A.", true);
    return h.terminal.body;
  };
  CHECK(body({}) == "a");
  CHECK(body({{"content-range", "bytes 0-1/9"}}) == "A.");
  CHECK(body({{"cache-control", "no-transform"}}) == "A.");
  CHECK(body({{"cache-control", "no-transform"}},
             "request_direction_config: {common_config: {ignore_no_transform_header: true}}") == "a");
  CHECK(body({}, "request_direction_config: {common_config: {enabled: {default_value: false}}}") == "A.");
  CHECK(body({}, "response_direction_config: {common_config: {enabled: {default_value: false}}}") == "a");
}

TEST_CASE("upstreams are told which coding comes off") {
  const auto accepted = [](const Fields& fields, const std::string& config = "") {
    Bed h(config);
    h.request("GET", fields, true);
    return of(h.terminal.headers, "accept-encoding");
  };
  CHECK(accepted({}) == "turned");
  CHECK(accepted({{"accept-encoding", "br, gzip;q=0.5"}}) == "br,gzip;q=0.5,turned");
  CHECK(accepted({{"accept-encoding", "br, turned;q=0.1"}}) == "br, turned;q=0.1");
  CHECK(accepted({{"accept-encoding", "turned;q=0, br"}}) == "br,turned");
  CHECK(accepted({{"range", "bytes=0-1"}}) == "(none)");
  CHECK(accepted({}, "request_direction_config: {advertise_accept_encoding: false}") == "(none)");
  CHECK(accepted({}, "response_direction_config: {common_config: {enabled: {default_value: false}}}") == "(none)");
}

TEST_CASE("a request's body that is not what its head says is refused") {
  const auto refused = [](const std::string& body, const std::string& counter) {
    Bed h;
    h.request("POST", {{"content-encoding", "turned"}}, false);
    h.runner->requestData(body, true);
    return std::to_string(h.client.status) + " " + std::string(h.stream.info().response_code_details) + " " +
           std::to_string(h.stat("decompressor_library." + counter));
  };
  CHECK(refused("A!", "wrong") == "400 decompressor_invalid_body 1");
  CHECK(refused("A#", "large") == "400 decompressor_inflate_ratio 1");
  CHECK(refused("A", "wrong") == "400 decompressor_truncated_body 0");
}

TEST_CASE("a request that breaks off in front of its trailers is refused") {
  Bed h;
  h.request("POST", {{"content-encoding", "turned"}}, false);
  h.runner->requestData("A", false);
  h.requestTrailers({{"x", "y"}});
  CHECK(h.client.status == 400);
}

TEST_CASE("a response's body that is not what its head says is not passed on") {
  Bed h;
  h.request("GET", {}, true);
  h.respond(200, {{"content-encoding", "turned"}}, false);
  h.runner->responseData("A!", true);
  CHECK_FALSE(h.client.complete);
  CHECK(h.client.body.empty());
}

TEST_CASE("messages without a body, and empty ones, are no error") {
  Bed h;
  h.request("POST", kEncoded, false);
  h.runner->requestData("", true);
  CHECK(h.terminal.complete);
  h.respond(200, {{"content-encoding", "turned"}}, true);
  CHECK(of(h.client.headers, "content-encoding") == "turned");
  CHECK(h.client.complete);
}

TEST_CASE("a name that cannot be a part of a trailer's is refused") {
  CHECK_THAT(Compiled("", "my lib").world.problems(),
             Catch::Contains("decompressor_library.name: \"my lib\" is a part of the names of trailers"));
}

TEST_CASE("it passes the interleaving suite") {
  const auto compiled = std::make_shared<Compiled>("");
  filter::testing::Suite suite;
  suite.max_runs = 20000;
  suite.chain = [=] { return std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{compiled->factory}; };
  suite.request = {{{"content-encoding", "turned"}}, "A2.", true};
  suite.response = {{{"content-encoding", "turned"}}, "B3.", true};
  suite.request_due = [](std::string_view) { return "aaa"; };
  suite.response_due = [](std::string_view) { return "baaa"; };
  suite.request_trailers_due = 3;
  suite.response_trailers_due = 3;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::decompressor
