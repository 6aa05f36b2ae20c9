#include "source/extensions/compression/decompressor/brotli/brotli.h"

#include <brotli/encode.h>
#include <catch2/catch.hpp>

#include "envoy/extensions/compression/brotli/decompressor/v3/brotli.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/decompressor/brotli/factory.h"

namespace sluice::extensions::compression::decompressor::brotli {
namespace {

using Result = api::Decompressor::Result;

// By libbrotli itself.
std::string encoded(const std::string& body) {
  std::string out(BrotliEncoderMaxCompressedSize(body.size()) + 16, '\0');
  size_t size = out.size();
  REQUIRE(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, body.size(), reinterpret_cast<const uint8_t*>(body.data()),
                                &size, reinterpret_cast<uint8_t*>(out.data())));
  out.resize(size);
  return out;
}

TEST_CASE("a body comes out whole wherever it is cut, and the state serves the next one") {
  const std::string body = std::string(5000, 'a') + "end";
  const std::string bytes = encoded(body);
  for (const bool whole_window : {false, true}) {
    Decompressor decompressor(Settings{.whole_window = whole_window});
    for (size_t cut = 0; cut <= bytes.size(); ++cut) {
      std::string out;
      CHECK(decompressor.complete());
      REQUIRE(decompressor.decompress(bytes.substr(0, cut), out) == Result::kOk);
      CHECK(decompressor.complete() == (cut == 0 || cut == bytes.size()));
      REQUIRE(decompressor.decompress(bytes.substr(cut), out) == Result::kOk);
      CHECK(decompressor.complete());
      CHECK(out == body);
      decompressor.reset();
    }
  }
}

TEST_CASE("what was flushed comes out though the body goes on") {
  std::string body;
  for (uint32_t i = 0; body.size() < 20000; ++i) body += std::to_string(i * 2654435761u);
  BrotliEncoderState* encoder = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
  std::string bytes(2 * body.size(), '\0');
  auto* in = reinterpret_cast<const uint8_t*>(body.data());
  auto* to = reinterpret_cast<uint8_t*>(bytes.data());
  size_t in_size = body.size(), room = bytes.size();
  BrotliEncoderCompressStream(encoder, BROTLI_OPERATION_FLUSH, &in_size, &in, &room, &to, nullptr);
  bytes.resize(bytes.size() - room);
  BrotliEncoderDestroyInstance(encoder);
  Decompressor decompressor(Settings{});
  std::string out;
  REQUIRE(decompressor.decompress(bytes, out) == Result::kOk);
  CHECK(out == body);
  CHECK_FALSE(decompressor.complete());
}

TEST_CASE("bytes that are not br, or more than it, are errors that have names") {
  const auto errorOf = [](const std::string& first, const std::string& second) {
    Decompressor decompressor(Settings{});
    std::string out;
    if (decompressor.decompress(first, out) == Result::kOk && decompressor.decompress(second, out) == Result::kOk) {
      return std::string("none");
    }
    return std::string(kErrors[decompressor.error()]);
  };
  CHECK(errorOf(std::string(40, '\xff'), "") == "brotli_error");
  CHECK(errorOf(encoded("a") + "tail", "") == "brotli_redundant_input");
  CHECK(errorOf(encoded("a"), "tail") == "brotli_redundant_input");
  CHECK(errorOf(encoded("a"), "") == "none");
}

TEST_CASE("a bomb is noticed before it is large") {
  const std::string bomb = encoded(std::string(64 << 20, '\0'));
  Decompressor decompressor(Settings{});
  std::string out;
  CHECK(decompressor.decompress(bomb, out) == Result::kTooLarge);
  CHECK(kErrors[decompressor.error()] == "brotli_output_overflow");
  CHECK(out.size() <= std::max<size_t>(bomb.size() * 100, api::InflateBound::kAlways));
}

TEST_CASE("fields are read") {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::compression::brotli::decompressor::v3::Brotli message;
  REQUIRE(world.load("{chunk_size: 65536, disable_ring_buffer_reallocation: true}", message));
  const auto* factory = world.registry.decompressors.find(message.GetDescriptor()->full_name());
  const auto library = factory->compile(message, world.context());
  std::string out;
  CHECK(library->make()->decompress(encoded("body"), out) == Result::kOk);
  CHECK(out == "body");
}

}  // namespace
}  // namespace sluice::extensions::compression::decompressor::brotli
