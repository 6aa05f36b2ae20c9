// Real libraries behind the filters, and each coding taken off by its own other side.
#include "envoy/config/core/v3/extension.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/http_filter_factory.h"
#include "source/extensions/test_all.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::extensions {
namespace {

using filter::testing::Fields;

// In front the one that takes the coding off; both are in one chain, so the client sees what the upstream sent.
struct Both : World {
  explicit Both(const std::string& coding, const std::string& message)
      : chain{make("decompressor", coding, message), make("compressor", coding, message)} {}

  std::shared_ptr<const filter::HttpFilterFactory> make(const std::string& kind, const std::string& coding,
                                                        const std::string& message) {
    const std::string title = kind == "compressor" ? "Compressor" : "Decompressor";
    const std::string yaml =
        "{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.http." + kind + ".v3." + title +
        ", " + kind + "_library: {name: l, typed_config: {'@type': type.googleapis.com/envoy.extensions.compression." +
        coding + "." + kind + ".v3." + message + "}}" +
        (kind == "compressor" ? ", response_direction_config: {common_config: {min_content_length: 1}}" : "") + "}}";
    envoy::config::core::v3::TypedExtensionConfig entry;
    REQUIRE(load(yaml, entry));
    const auto found = registry.http_filters.resolve(entry.typed_config(), at);
    auto factory = found.factory->compile(*found.config, context("http.p."));
    CHECK(problems() == "");
    return factory;
  }

  std::vector<std::shared_ptr<const filter::HttpFilterFactory>> chain;
};

struct Coding {
  std::string folder, message, name;
};

TEST_CASE("what a compressor makes its decompressor takes off, wherever it is cut") {
  const Coding coding =
      GENERATE(Coding{"gzip", "Gzip", "gzip"}, Coding{"brotli", "Brotli", "br"}, Coding{"zstd", "Zstd", "zstd"});
  const bool with_length = GENERATE(false, true);
  const Both both(coding.folder, coding.message);
  filter::testing::Harness h(both.chain);
  std::string body;
  for (int i = 0; i < 20000; ++i) body += std::to_string(i * i);
  h.request("GET", {}, true);
  CHECK(h.terminal.headers == Fields{{"accept-encoding", coding.name}});
  Fields fields = {{"content-type", "application/json"}};
  if (with_length) fields.emplace_back("content-length", std::to_string(body.size()));
  h.respond(200, fields, false);
  size_t at = 0;
  for (size_t size = 1; at + size < body.size(); at += size, size = size * 3 + 1) {
    h.runner->responseData(body.substr(at, size), false);
    if (!with_length) CHECK(h.client.body.size() == at + size);  // nothing waits
  }
  h.runner->responseData(body.substr(at), true);
  CHECK(h.client.body == body);
  CHECK(h.client.complete);
}

TEST_CASE("both filters in a row pass the interleaving suite") {
  const Both both("gzip", "Gzip");
  filter::testing::Suite suite;
  suite.max_runs = 5000;
  suite.chain = [&] { return both.chain; };
  suite.response_trailers_due = 3;
  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions
