#include "source/base/base64_url.h"

#include <catch2/catch.hpp>

namespace sluice::base {
namespace {

TEST_CASE("bytes become base64 for URLs and come back") {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"), std::string("foo"),
                                   std::string("\xfb\xef\xff\0\x01", 5), std::string(1000, '\xfe')}) {
    CHECK(fromBase64Url(toBase64Url(bytes)) == bytes);
  }
  CHECK(toBase64Url("\xfb\xef\xff") == "--__");
  CHECK(toBase64Url("fo") == "Zm8");
}

TEST_CASE("a text that is not the one form of its bytes is refused") {
  for (const std::string_view text : {"Zm8=", "Zg==", "Zm8 ", " Zm8", "Zm\n8", "++//", "Zm9=", "Zm9", "Zh", "Z",
                                      "Zm9vY", "Zm8.", "Zm8\xc3\xa4", "="}) {
    INFO(text);
    CHECK(fromBase64Url(text) == std::nullopt);
  }
  CHECK(fromBase64Url(std::string_view("Zm8\0", 4)) == std::nullopt);
}

}  // namespace
}  // namespace sluice::base
