#include "source/base/percent.h"

#include <catch2/catch.hpp>

#include <string>
#include <utility>

namespace sluice::base {

TEST_CASE("escapes are the bytes that they stand for, and what is none is itself") {
  for (const auto& [text, plain] : {std::pair<std::string_view, std::string_view>{"", ""},
                                    {"a+b", "a+b"},
                                    {"%41%7e%7E", "A~~"},
                                    {"%2541", "%41"},
                                    {"%4", "%4"},
                                    {"%", "%"},
                                    {"%%41", "%A"},
                                    {"%g1%1g", "%g1%1g"},
                                    {"%ff", "\xff"}}) {
    INFO(text);
    CHECK(percentDecoded(text) == plain);
    CHECK(equalsPercentDecoded(text, plain));
    CHECK_FALSE(equalsPercentDecoded(text, std::string(plain) + "x"));
  }
  CHECK_FALSE(equalsPercentDecoded("%41b", "A"));
}

TEST_CASE("in a form a plus is a space, an escaped one is a plus") {
  CHECK(formDecoded("a+b%2B%20") == "a b+ ");
}

TEST_CASE("what may mean something is encoded") {
  CHECK(percentEncoded("a b&c/\xc3\xa9.yaml") == "a%20b%26c%2F%C3%A9.yaml");
}

}  // namespace sluice::base
