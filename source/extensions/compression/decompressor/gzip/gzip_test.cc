#include "source/extensions/compression/decompressor/gzip/gzip.h"

#include <catch2/catch.hpp>

#include "envoy/extensions/compression/gzip/decompressor/v3/gzip.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/decompressor/gzip/factory.h"

namespace sluice::extensions::compression::decompressor::gzip {
namespace {

using Result = api::Decompressor::Result;

// By zlib itself.
std::string deflated(const std::string& body, int window_bits = 15) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window_bits + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, body.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_CASE("a body comes out whole wherever it is cut, and the state serves the next one") {
  const std::string body = std::string(5000, 'a') + "end";
  const std::string encoded = deflated(body);
  Decompressor decompressor(Settings{});
  for (size_t cut = 0; cut <= encoded.size(); ++cut) {
    std::string out;
    CHECK(decompressor.complete());
    REQUIRE(decompressor.decompress(encoded.substr(0, cut), out) == Result::kOk);
    CHECK(decompressor.complete() == (cut == 0 || cut == encoded.size()));
    REQUIRE(decompressor.decompress(encoded.substr(cut), out) == Result::kOk);
    CHECK(decompressor.complete());
    CHECK(out == body);
    decompressor.reset();
  }
}

TEST_CASE("an output that fills its chunk to the last byte is whole") {
  for (const size_t size : {4095, 4096, 4097, 8192}) {
    Decompressor decompressor(Settings{});
    std::string out;
    REQUIRE(decompressor.decompress(deflated(std::string(size, 'x')), out) == Result::kOk);
    CHECK(out.size() == size);
    CHECK(decompressor.complete());
  }
}

TEST_CASE("members follow each other") {
  Decompressor decompressor(Settings{});
  std::string out;
  REQUIRE(decompressor.decompress(deflated("one ") + deflated("") + deflated("two"), out) == Result::kOk);
  CHECK(out == "one two");
  CHECK(decompressor.complete());
}

TEST_CASE("bytes that are not gzip are an error that has a name") {
  std::string damaged = deflated("some text that is not that short");
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  for (const std::string& wrong : {std::string("plain text"), damaged, deflated("a") + "tail of something else"}) {
    Decompressor decompressor(Settings{});
    std::string out;
    CHECK(decompressor.decompress(wrong, out) == Result::kInvalid);
    CHECK(kErrors[decompressor.error()] == "zlib_data_error");
  }
}

TEST_CASE("a bomb is noticed before it is large") {
  const std::string bomb = deflated(std::string(64 << 20, '\0'));
  Decompressor decompressor(Settings{});
  std::string out;
  CHECK(decompressor.decompress(bomb, out) == Result::kTooLarge);
  CHECK(out.size() <= bomb.size() * 100);
  decompressor.reset();
  std::string next;
  CHECK(decompressor.decompress(deflated("harmless"), next) == Result::kOk);
  CHECK(next == "harmless");
}

Result resultWith(const std::string& yaml, const std::string& encoded) {
  config::testing::TestWorld world;
  registerFactory(world.registry);
  envoy::extensions::compression::gzip::decompressor::v3::Gzip message;
  REQUIRE(world.load(yaml, message));
  const auto* factory = world.registry.decompressors.find(message.GetDescriptor()->full_name());
  const auto library = factory->compile(message, world.context());
  REQUIRE(world.problems() == "");
  std::string out;
  return library->make()->decompress(encoded, out);
}

TEST_CASE("every field has its effect") {
  const std::string large = deflated(std::string(200000, 'a'));
  CHECK(resultWith("{}", large) == Result::kTooLarge);
  CHECK(resultWith("max_inflate_ratio: 1032", large) == Result::kOk);
  CHECK(resultWith("chunk_size: 65536", deflated("a")) == Result::kOk);
  std::string wide;
  for (uint32_t i = 0; wide.size() < 5000; ++i) wide += std::to_string(i * 2654435761u);
  CHECK(resultWith("window_bits: 9", deflated(wide + wide, 9)) == Result::kOk);
  CHECK(resultWith("window_bits: 9", deflated(wide + wide, 15)) == Result::kInvalid);
}

}  // namespace
}  // namespace sluice::extensions::compression::decompressor::gzip
