#include "source/route/regex_literal.h"

#include <catch2/catch.hpp>

#include <iterator>
#include <random>

#include "source/route/matchers.h"

namespace sluice::route {

TEST_CASE("the literal beginning ends where a match may vary") {
  CHECK(literalBeginning("/api/v[0-9]+") == "/api/v");
  CHECK(literalBeginning("^/api/(v1|v2)/.*") == "/api/");
  CHECK(literalBeginning("/a\\.b\\d") == "/a.b");
  CHECK(literalBeginning("/ab?c") == "/a");
  CHECK(literalBeginning("/ab*") == "/a");
  CHECK(literalBeginning("/ab{0,2}") == "/a");
  CHECK(literalBeginning("/ab+") == "/ab");
  CHECK(literalBeginning("/exact") == "/exact");
  CHECK(literalBeginning("(?i)/api").empty());
  CHECK(literalBeginning(".*/users").empty());
}

TEST_CASE("an alternative of whole expressions has no literal beginning, wherever its bar hides") {
  CHECK(literalBeginning("/a|/b").empty());
  CHECK(literalBeginning("/a[(]b|/c").empty());
  CHECK(literalBeginning("/a[]|(]|/c").empty());
  CHECK(literalBeginning("/a\\(b|/c").empty());
  CHECK(literalBeginning("/a[[:alpha:](]|/c").empty());
  CHECK(literalBeginning("/a\\Q(\\E|/c").empty());
  CHECK(literalBeginning("/a[|](b)") == "/a");
}

TEST_CASE("every match of a random expression begins with its literal beginning") {
  static constexpr const char* kParts[] = {"a",     "b",    "/",        "/a",    "[ab]",  "a*",   "b+",     "(ab)*",
                                           "(a|b)", "(?i)", "(?i:a)",   ".",     "a?",    "a{2}", "b{1,2}", "^",
                                           "$",     "\\b",  "\\B",      "(?m)",  "\\A",   "[^a]", "()",     "(|a)",
                                           "a*?",   "|",    "\\Qa.\\E", "\\x61", "\\.",   "[]a]", "[(|]",   "\\|",
                                           "\\(",   "{",    "\xe9",     "]",     "(?:a|", ")",    "\\n",    "\\C"};
  static constexpr const char* kBytes[] = {"a", "b", "A", "B", "/", "\xe9", "\xc9", "\n", ".", "|", "(", "{", "]"};
  std::mt19937 generator(7);
  const auto below = [&](size_t n) { return generator() % n; };
  int matched = 0;

  for (int round = 0; round < 20'000; ++round) {
    std::string pattern;
    for (size_t parts = 1 + below(6); parts > 0; --parts) pattern += kParts[below(std::size(kParts))];
    const auto regex = compileRegex(pattern);
    if (!regex.ok()) continue;
    const std::string literal = literalBeginning(pattern);
    if (literal.empty()) continue;
    for (int tries = 0; tries < 30; ++tries) {
      std::string text = literal.substr(0, literal.size() - (below(2) == 0 ? 0 : below(literal.size() + 1)));
      for (size_t bytes = below(4); bytes > 0; --bytes) text += kBytes[below(std::size(kBytes))];
      if (!re2::RE2::FullMatch(text, **regex)) continue;
      ++matched;
      INFO("expression " << pattern << ", literal " << literal << ", match " << text);
      REQUIRE(text.rfind(literal, 0) == 0);
    }
  }
  CHECK(matched > 5'000);
}

}  // namespace sluice::route
