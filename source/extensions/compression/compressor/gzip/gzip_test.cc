#include "source/extensions/compression/compressor/gzip/gzip.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/compression/gzip/compressor/v3/gzip.pb.h"
#include "source/compression/test_library.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/compressor/gzip/factory.h"

namespace sluice::extensions::compression::compressor::gzip {
namespace {

using api::Flush;
using api::testing::inPieces;
using api::testing::text;

// By zlib itself; what is there of a body that may break off.
std::string inflated(std::string_view bytes) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST_CASE("a body in pieces comes out whole, and the state serves the next one") {
  Compressor compressor(Settings{});
  for (const size_t size : {0, 1, 100, 100000}) {
    const std::string body = text(size);
    CHECK(inflated(inPieces(compressor, body)) == body);
    compressor.reset();
  }
}

TEST_CASE("what is flushed can be read though the body goes on") {
  Compressor compressor(Settings{});
  std::string out;
  compressor.compress("data: 1\n\n", Flush::kNone, out);
  CHECK(inflated(out) == "");
  compressor.compress("data: 2\n\n", Flush::kSync, out);
  CHECK(inflated(out) == "data: 1\n\ndata: 2\n\n");
  const size_t before = out.size();
  compressor.compress({}, Flush::kSync, out);
  CHECK(inflated(out) == "data: 1\n\ndata: 2\n\n");
  CHECK(out.size() <= before + 5);
}

// How large 100,000 bytes become with this configuration.
size_t sizeWith(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::compression::gzip::compressor::v3::Gzip message;
  REQUIRE(world.load(yaml, message));
  const auto* factory = world.registry.compressors.find(message.GetDescriptor()->full_name());
  const auto library = factory->compile(message, world.context());
  REQUIRE(world.problems() == "");
  std::string out;
  library->make()->compress(text(100000), Flush::kEnd, out);
  CHECK(inflated(out) == text(100000));
  return out.size();
}

TEST_CASE("every field has its effect") {
  const size_t usual = sizeWith("{}");
  CHECK(sizeWith("compression_level: BEST_SPEED") > usual);
  CHECK(sizeWith("compression_level: COMPRESSION_LEVEL_6") == usual);
  CHECK(sizeWith("compression_strategy: HUFFMAN_ONLY") > usual);
  CHECK(sizeWith("compression_strategy: FIXED") > usual);
  CHECK(sizeWith("window_bits: 9") != usual);
  CHECK(sizeWith("memory_level: 1") != usual);
  CHECK(sizeWith("chunk_size: 65536") == usual);
}

}  // namespace
}  // namespace sluice::extensions::compression::compressor::gzip
