#include "source/extensions/compression/decompressor/zstd/zstd.h"

#include <zdict.h>
#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"
#include "envoy/extensions/compression/zstd/decompressor/v3/zstd.pb.h"
#include "source/config/compression_factory.h"
#include "source/config/test_world.h"
#include "source/extensions/compression/decompressor/zstd/factory.h"

namespace sluice::extensions::compression::decompressor::zstd {
namespace {

using Result = api::Decompressor::Result;

// By libzstd itself.
std::string encoded(const std::string& body, const std::string& dictionary = "", bool checksum = false) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum);
  if (!dictionary.empty()) ZSTD_CCtx_loadDictionary(context, dictionary.data(), dictionary.size());
  std::string out(ZSTD_compressBound(body.size()), '\0');
  const size_t size = ZSTD_compress2(context, out.data(), out.size(), body.data(), body.size());
  ZSTD_freeCCtx(context);
  REQUIRE_FALSE(ZSTD_isError(size));
  out.resize(size);
  return out;
}

// One that knows texts with this word.
std::string trained(const std::string& word) {
  std::string samples;
  std::vector<size_t> sizes;
  for (uint32_t i = 0; i < 2000; ++i) {
    const std::string sample = "{\"" + word + "\":" + std::to_string(i * 2654435761u) + ",\"more\":\"" + word + "\"}";
    samples += sample;
    sizes.push_back(sample.size());
  }
  std::string out(4096, '\0');
  const size_t size =
      ZDICT_trainFromBuffer(out.data(), out.size(), samples.data(), sizes.data(), static_cast<unsigned>(sizes.size()));
  REQUIRE_FALSE(ZDICT_isError(size));
  out.resize(size);
  return out;
}

void checkEveryCut(Decompressor& decompressor, const std::string& bytes, const std::string& body) {
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

TEST_CASE("a body comes out whole wherever it is cut, and the state serves the next one") {
  const std::string body = std::string(5000, 'a') + "end";
  const Settings settings;
  Decompressor decompressor(settings);
  checkEveryCut(decompressor, encoded(body, "", true), body);
  checkEveryCut(decompressor, encoded(""), "");
}

TEST_CASE("frames follow each other") {
  const Settings settings;
  Decompressor decompressor(settings);
  std::string out;
  REQUIRE(decompressor.decompress(encoded("one ") + encoded("two"), out) == Result::kOk);
  CHECK(out == "one two");
  CHECK(decompressor.complete());
}

TEST_CASE("errors have names") {
  const auto errorOf = [](std::string bytes) {
    const Settings settings;
    Decompressor decompressor(settings);
    std::string out;
    if (decompressor.decompress(bytes, out) == Result::kOk) return std::string("none");
    return std::string(kErrors[decompressor.error()]);
  };
  std::string damaged = encoded("some text", "", true);
  damaged.back() ^= 1;
  CHECK(errorOf("plain text") == "zstd_generic_error");
  CHECK(errorOf(damaged) == "zstd_checksum_error");
  CHECK(errorOf(encoded("text", trained("word"))) == "zstd_dictionary_error");
  CHECK(errorOf(encoded("text")) == "none");
}

TEST_CASE("a bomb is noticed before it is large") {
  const std::string bomb = encoded(std::string(64 << 20, '\0'));
  const Settings settings;
  Decompressor decompressor(settings);
  std::string out;
  CHECK(decompressor.decompress(bomb, out) == Result::kTooLarge);
  CHECK(out.size() <= bomb.size() * 100);
}

TEST_CASE("windows above 8 MiB are refused before memory is taken for them") {
  // A frame that says it has a window of 2 GiB.
  const std::string frame = absl::HexStringToBytes("28b52ffd") + std::string("\x00\xa8\x01\x00\x00", 5);
  const Settings settings;
  Decompressor decompressor(settings);
  std::string out;
  CHECK(decompressor.decompress(frame, out) == Result::kInvalid);
}

// What configuration makes of dictionaries: the library, or what is wrong with them.
struct Compiled {
  explicit Compiled(const std::vector<std::string>& dictionaries) {
    registerFactory(world.registry);
    envoy::extensions::compression::zstd::decompressor::v3::Zstd message;
    for (const std::string& dictionary : dictionaries) message.add_dictionaries()->set_inline_bytes(dictionary);
    const auto* factory = world.registry.decompressors.find(message.GetDescriptor()->full_name());
    library = factory->compile(message, world.context());
  }
  config::testing::TestWorld world;
  std::shared_ptr<const api::DecompressorLibrary> library;
};

TEST_CASE("a body gets the dictionary that it names, or none") {
  const std::string first = trained("first"), second = trained("second");
  const Compiled compiled({first, second});
  REQUIRE(compiled.library != nullptr);
  const auto decompressor = compiled.library->make();
  auto& concrete = static_cast<Decompressor&>(*decompressor);
  checkEveryCut(concrete, encoded("{\"second\":1}", second), "{\"second\":1}");
  checkEveryCut(concrete, encoded("{\"first\":1}", first), "{\"first\":1}");
  checkEveryCut(concrete, encoded("x"), "x");
}

TEST_CASE("dictionaries that cannot be named are refused") {
  CHECK_THAT(Compiled({"just text"}).world.problems(), Catch::Contains("dictionaries[0]: is not a dictionary of zstd"));
  const std::string twice = trained("word");
  CHECK_THAT(Compiled({twice, twice}).world.problems(), Catch::Contains("dictionaries[1]: has the number"));
}

}  // namespace
}  // namespace sluice::extensions::compression::decompressor::zstd
