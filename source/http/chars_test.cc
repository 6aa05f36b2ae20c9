#include "source/http/chars.h"

#include <catch2/catch.hpp>
#include <string>

namespace sluice::http {
namespace {

// `text` with what has to follow it.
std::string padded(std::string text) {
  return text + "\r\n" + std::string(kPadding, '\0');
}

TEST_CASE("a value ends where a control byte is, whatever stands in front of it and where") {
  for (const char filler : {'a', '\t', '\x80', '\xff', '~'}) {
    for (int c = 0; c < 256; ++c) {
      for (size_t at = 0; at < 50; at += at < 18 ? 1 : 5) {
        std::string text(50, filler);
        text[at] = static_cast<char>(c);
        text = padded(std::move(text));
        const size_t expected = isControl(static_cast<char>(c)) ? at : 50;
        if (static_cast<size_t>(skipValue(text.data()) - text.data()) == expected) continue;
        FAIL("byte " << c << " at " << at << " behind " << int{filler});
      }
    }
  }
}

TEST_CASE("a value may be empty") {
  std::string text = padded("");
  CHECK(skipValue(text.data()) == text.data());
}

}  // namespace
}  // namespace sluice::http
