#include "source/extensions/compression/compressor/zstd/zstd.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/compression/zstd/compressor/v3/zstd.pb.h"
#include "source/compression/test_library.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/compressor/zstd/factory.h"

namespace sluice::extensions::compression::compressor::zstd {
namespace {

using api::Flush;
using api::testing::inPieces;
using api::testing::text;

// By libzstd itself; what is there of a body that may break off.
std::string decoded(std::string_view bytes, std::string_view dictionary = {}) {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_DCtx_loadDictionary(context, dictionary.data(), dictionary.size());
  std::string out(1 << 20, '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (in.pos < in.size) {
    if (ZSTD_isError(ZSTD_decompressStream(context, &to, &in))) break;
  }
  ZSTD_freeDCtx(context);
  out.resize(to.pos);
  return out;
}

TEST_CASE("a body in pieces comes out whole, and the state serves the next one") {
  Compressor compressor(Settings{});
  for (const size_t size : {0, 1, 100, 100000}) {
    const std::string body = text(size);
    CHECK(decoded(inPieces(compressor, body)) == body);
    compressor.reset();
  }
}

TEST_CASE("what is flushed can be read though the body goes on") {
  Compressor compressor(Settings{});
  std::string out;
  compressor.compress("data: 1\n\n", Flush::kNone, out);
  CHECK(decoded(out) == "");
  compressor.compress("data: 2\n\n", Flush::kSync, out);
  CHECK(decoded(out) == "data: 1\n\ndata: 2\n\n");
}

// What `body` becomes with this configuration, or what is wrong with it.
std::string madeWith(const std::string& yaml, const std::string& body = text(100000)) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::compression::zstd::compressor::v3::Zstd message;
  REQUIRE(world.load(yaml, message));
  const auto* factory = world.registry.compressors.find(message.GetDescriptor()->full_name());
  const auto library = factory->compile(message, world.context());
  if (!library) return world.problems();
  std::string out;
  library->make()->compress(body, Flush::kEnd, out);
  return out;
}

TEST_CASE("every field has its effect") {
  const std::string usual = madeWith("{}");
  CHECK(decoded(usual) == text(100000));
  CHECK(madeWith("compression_level: 3") == usual);
  CHECK(madeWith("compression_level: 19").size() < usual.size());
  CHECK(madeWith("strategy: FAST") != usual);
  CHECK(madeWith("enable_checksum: true").size() == usual.size() + 4);
  CHECK(madeWith("chunk_size: 65536") == usual);
}

TEST_CASE("windows stay within what receivers of HTTP take") {
  const std::string out = madeWith("compression_level: 22");
  ZSTD_DCtx* context = ZSTD_createDCtx();
  ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 23);
  std::string body(100000, '\0');
  CHECK(ZSTD_decompressDCtx(context, body.data(), body.size(), out.data(), out.size()) == body.size());
  ZSTD_freeDCtx(context);
}

TEST_CASE("a dictionary serves every message") {
  const std::string dictionary = text(1000);
  config::testing::TestWorld world;
  Compressor compressor(Settings{.dictionary = dictionary});
  for (int i = 0; i < 2; ++i) {
    std::string out;
    compressor.compress(text(500), Flush::kEnd, out);
    CHECK(out.size() < 60);
    CHECK(decoded(out, dictionary) == text(500));
    compressor.reset();
  }
}

TEST_CASE("what cannot be is refused") {
  CHECK_THAT(madeWith("compression_level: 23"), Catch::Contains("compression_level: is 23; levels go up to 22"));
  CHECK_THAT(madeWith("dictionary: {inline_string: ''}"), Catch::Contains("dictionary: is not a dictionary of zstd"));
  CHECK_THAT(madeWith("dictionary: {filename: /nowhere}"), Catch::Contains("dictionary.filename"));
}

}  // namespace
}  // namespace sluice::extensions::compression::compressor::zstd
