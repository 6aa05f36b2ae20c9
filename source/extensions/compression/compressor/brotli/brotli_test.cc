#include "source/extensions/compression/compressor/brotli/brotli.h"

#include <brotli/decode.h>
#include <catch2/catch.hpp>

#include "envoy/extensions/compression/brotli/compressor/v3/brotli.pb.h"
#include "source/compression/test_library.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/compressor/brotli/factory.h"

namespace sluice::extensions::compression::compressor::brotli {
namespace {

using api::Flush;
using api::testing::inPieces;
using api::testing::text;

// By libbrotli itself; what is there of a body that may break off.
std::string decoded(std::string_view bytes) {
  BrotliDecoderState* decoder = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
  std::string out(1 << 20, '\0');
  auto* in = reinterpret_cast<const uint8_t*>(bytes.data());
  auto* to = reinterpret_cast<uint8_t*>(out.data());
  size_t in_size = bytes.size(), room = out.size(), total = 0;
  BrotliDecoderDecompressStream(decoder, &in_size, &in, &room, &to, &total);
  BrotliDecoderDestroyInstance(decoder);
  out.resize(total);
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

TEST_CASE("a piece that is larger than a block is flushed to its last byte") {
  // Words by chance: libbrotli has enough of them to end a block with each 16 KiB.
  std::string words;
  for (uint32_t state = 1; words.size() < 65536;) {
    state = state * 1664525 + 1013904223;
    words += std::to_string((state >> 16) % 4000 * 2654435761u) + ' ';
  }
  Compressor compressor(Settings{});
  for (const size_t size : {20000, 30000, 64000, 65536}) {
    std::string out;
    compressor.compress(std::string_view(words).substr(0, size), Flush::kSync, out);
    CHECK(decoded(out) == words.substr(0, size));
    compressor.reset();
  }
}

// How large 100,000 bytes become with this configuration.
size_t sizeWith(const std::string& yaml) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::compression::brotli::compressor::v3::Brotli message;
  REQUIRE(world.load(yaml, message));
  const auto* factory = world.registry.compressors.find(message.GetDescriptor()->full_name());
  const auto library = factory->compile(message, world.context());
  REQUIRE(world.problems() == "");
  std::string out;
  library->make()->compress(text(100000), Flush::kEnd, out);
  CHECK(decoded(out) == text(100000));
  return out.size();
}

TEST_CASE("fields have their effect") {
  const size_t usual = sizeWith("{}");
  CHECK(sizeWith("quality: 0") > usual);
  CHECK(sizeWith("quality: 11") < usual);
  CHECK(sizeWith("window_bits: 10") != usual);
  CHECK(sizeWith("chunk_size: 65536") == usual);
  CHECK(sizeWith("{quality: 5, input_block_bits: 16, encoder_mode: TEXT, disable_literal_context_modeling: true}") > 0);
}

}  // namespace
}  // namespace sluice::extensions::compression::compressor::brotli
