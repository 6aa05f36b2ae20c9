#include "source/http/structured_fields.h"

#include <catch2/catch.hpp>

#include <string>

namespace sluice::http::structured {
namespace {

constexpr size_t kMost = 4;

// Each member as "key=value", in the form that it has when it is written again; "none" of what is no dictionary.
std::string read(std::string_view text) {
  const auto dictionary = parseDictionary(text, kMost);
  if (!dictionary) return "none";
  std::string out;
  for (const Member& member : *dictionary) {
    out += (out.empty() ? "" : ", ") + member.key + "=" + serialize(member.value);
  }
  return out;
}

TEST_CASE("a dictionary has items and inner lists, with parameters") {
  CHECK(read("") == "");
  CHECK(read("  ") == "");
  CHECK(read("a=1") == "a=1");
  CHECK(read("a=1,b=2 ,\tc=(1   \"x\");p;q=?0") == "a=1, b=2, c=(1 \"x\");p;q=?0");
  CHECK(read("a, b;x=1, c=?0") == "a=?1, b=?1;x=1, c=?0");
  CHECK(read("sig1=(\"@method\" \"@query-param\";name=\"a\");created=1618884473;keyid=\"k\"") ==
        "sig1=(\"@method\" \"@query-param\";name=\"a\");created=1618884473;keyid=\"k\"");
  CHECK(read("a=(), b=( )") == "a=(), b=()");
  CHECK(read("*a.b-c_1=tok/en:x") == "*a.b-c_1=tok/en:x");
}

TEST_CASE("values are written in one form") {
  CHECK(read("a=-0007") == "a=-7");
  CHECK(read("a=999999999999999") == "a=999999999999999");
  CHECK(read("a=1.50") == "a=1.5");
  CHECK(read("a=-0.005") == "a=-0.005");
  CHECK(read("a=2.000") == "a=2.0");
  CHECK(read(R"(a="\"\\")") == R"(a="\"\\")");
  CHECK(read("a=:AAEC:") == "a=:AAEC:");
  CHECK(read("a=::") == "a=::");
  CHECK(read("a=1; x ;y") == "none");
  CHECK(read("a=1;  x;y=?1") == "a=1;x;y");
}

TEST_CASE("what is wrong anywhere is no dictionary") {
  for (const char* text : {"a=",
                           "=1",
                           "A=1",
                           "1=1",
                           "a=1,",
                           "a=1,,b=2",
                           ",a=1",
                           "a=1 b=2",
                           "a =1",
                           "a= 1",
                           "\ta=1",
                           "a=1;",
                           "a=1;X=1",
                           "a=1;x=",
                           "a=--1",
                           "a=1.",
                           "a=.5",
                           "a=1.2345",
                           "a=-",
                           "a=?",
                           "a=?2",
                           "a=\"x",
                           "a=\"\\x\"",
                           "a=\"\\",
                           "a=\"\x01\"",
                           "a=\"\t\"",
                           "a=\"\xc3\"",
                           "a=:AA",
                           "a=:A:",
                           "a=:AAE=:=",
                           "a=:AA E:",
                           "a=:AAF=:",
                           "a=(1",
                           "a=(1,2)",
                           "a=(1\"x\")",
                           "a=((1))",
                           "a=(1)x",
                           "a=@x",
                           "a=(1\t2)",
                           "a=1000000000000000",
                           "a=1234567890123.1"}) {
    INFO(text);
    CHECK(read(text) == "none");
  }
  CHECK(read(std::string("a=\"\0\"", 5)) == "none");
  CHECK(read("a=:AAE:") == "none");  // padding is not left out
}

TEST_CASE("a key stands once") {
  CHECK(read("a=1, b=2, a=3") == "none");
  CHECK(read("a=1;x=1;x=2") == "none");
  CHECK(read("a=(1);x;x") == "none");
  CHECK(read("a=1;x=1, b=1;x=1") == "a=1;x=1, b=1;x=1");
}

TEST_CASE("members, items and parameters are bounded") {
  CHECK(read("a,b,c,d") != "none");
  CHECK(read("a,b,c,d,e") == "none");
  CHECK(read("a=(1 2 3 4)") != "none");
  CHECK(read("a=(1 2 3 4 5)") == "none");
  CHECK(read("a=1;b;c;d;e") != "none");
  CHECK(read("a=1;b;c;d;e;f") == "none");
}

TEST_CASE("a member and a parameter are found by their keys") {
  const auto dictionary = parseDictionary("a=1;x=2, b=3", kMost);
  REQUIRE(dictionary);
  REQUIRE(find(*dictionary, "a"));
  const auto& item = std::get<Item>(find(*dictionary, "a")->value);
  REQUIRE(find(item.parameters, "x"));
  CHECK(std::get<int64_t>(*find(item.parameters, "x")) == 2);
  CHECK_FALSE(find(item.parameters, "y"));
  CHECK_FALSE(find(*dictionary, "c"));
}

}  // namespace
}  // namespace sluice::http::structured
