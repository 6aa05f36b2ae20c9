#include "source/match/path_template.h"

#include <re2/re2.h>

#include <catch2/catch.hpp>

#include <random>
#include <string>

#include "source/match/string.h"
#include "source/match/template_reference.h"

namespace sluice::match {
namespace {

bool matches(std::string_view text, const std::string& path) {
  const auto parsed = PathTemplate::parse(text);
  INFO(text << ": " << (parsed.ok() ? "" : std::string(parsed.status().message())));
  REQUIRE(parsed.ok());
  return re2::RE2::FullMatch(path, **compileRegex(parsed->pattern()));
}

std::string problemOf(std::string_view text) {
  const auto parsed = PathTemplate::parse(text);
  return parsed.ok() ? "" : std::string(parsed.status().message());
}

std::string rewritten(std::string_view text, std::string_view rewrite, std::string path) {
  const auto parsed = PathTemplate::parse(text);
  REQUIRE(parsed.ok());
  const auto substitution = parsed->substitution(rewrite);
  if (!substitution.ok()) return std::string(substitution.status().message());
  re2::RE2::GlobalReplace(&path, **compileRegex("^" + parsed->pattern() + "$"), *substitution);
  return path;
}

}  // namespace

TEST_CASE("a star of a path template takes one segment that is not empty") {
  CHECK(matches("/a/*/c", "/a/b/c"));
  CHECK(matches("/a/*/c", "/a/b*|\x80/c"));
  CHECK_FALSE(matches("/a/*/c", "/a//c"));
  CHECK_FALSE(matches("/a/*/c", "/a/b/b/c"));
  CHECK_FALSE(matches("/a/*", "/a/b/"));
  CHECK(matches("/a/*/", "/a/b/"));
  CHECK_FALSE(matches("/a/*/", "/a/b"));
}

TEST_CASE("two stars of a path template take any number of segments, none too") {
  CHECK(matches("/a/**", "/a/"));
  CHECK(matches("/a/**", "/a/b/c/"));
  CHECK_FALSE(matches("/a/**", "/a"));
  CHECK(matches("/**", "/"));
  CHECK(matches("/**.m3u8", "/media/1234/manifest.m3u8"));
  CHECK_FALSE(matches("/**.m3u8", "/media/manifest.mpd"));
  CHECK(matches("/**/end", "/a/b/end"));
}

TEST_CASE("text of a path template stands for itself and nothing else") {
  CHECK(matches("/a$(b)+.c", "/a$(b)+.c"));
  CHECK_FALSE(matches("/a.c", "/abc"));
  CHECK_FALSE(matches("/a+", "/aa"));
  CHECK_FALSE(matches("/a", "/A"));
  CHECK(matches("/%20!&',;:@=~-_", "/%20!&',;:@=~-_"));
}

TEST_CASE("variables of a path template stand beside text of their segment") {
  CHECK(matches("/api/v{version}/users/{id}.json", "/api/v2/users/7.json"));
  CHECK_FALSE(matches("/api/v{version}/users/{id}.json", "/api/2/users/7.json"));
  CHECK_FALSE(matches("/api/v{version}/users/{id}.json", "/api/v/users/7.json"));
  CHECK_FALSE(matches("/api/v{version}/users/{id}.json", "/api/v2/users/7_json"));
  CHECK(matches("/{from}-{to}", "/a-b"));
  CHECK_FALSE(matches("/{from}-{to}", "/a-"));
}

TEST_CASE("a path template tells what it is more simply") {
  const auto path = *PathTemplate::parse("/a/{x=b}/c");
  const auto prefix = *PathTemplate::parse("/a/{rest=b/**}");
  const auto suffix = *PathTemplate::parse("/a/**.js");
  const auto segment = *PathTemplate::parse("/a/*");

  CHECK(path.onlyPath() == "/a/b/c");
  CHECK_FALSE(path.onlyPrefix());
  CHECK(prefix.onlyPrefix() == "/a/b/");
  CHECK_FALSE(prefix.onlyPath());
  CHECK_FALSE(suffix.onlyPrefix());
  CHECK_FALSE(segment.onlyPath());
  CHECK_FALSE(segment.onlyPrefix());
}

TEST_CASE("a rewrite takes the variables of its template") {
  CHECK(rewritten("/users/{id}/files/{file=**}", "/files/{file}/of-{id}", "/users/7/files/a/b") == "/files/a/b/of-7");
  CHECK(rewritten("/{a}.{b}/**", "/{b}/{a}", "/x.y.z/w") == "/z/x.y");
  CHECK(rewritten("/a/{rest=**}", "/{rest}", "/a/") == "/");
  CHECK(rewritten("/a/{x}", "/b/%20(1)", "/a/b") == "/b/%20(1)");
}

TEST_CASE("a path template that is wrong is refused with what is wrong") {
  CHECK(problemOf("a") == "has to begin with '/'");
  CHECK(problemOf("") == "has to begin with '/'");
  CHECK(problemOf("/a//b") == "has an empty segment (\"//\")");
  CHECK(problemOf("/a//") == "has an empty segment (\"//\")");
  CHECK(problemOf("/v*") == "has '*' beside other text; it stands alone between slashes");
  CHECK(problemOf("/***") == "has more than text behind '*'; give each a segment");
  CHECK(problemOf("/*{x}") == "has more than text behind '*'; give each a segment");
  CHECK(problemOf("/*.a/b") ==
        "has text behind '*' in a segment that is not the last one; use a variable, such as {name}");
  CHECK(problemOf("/a?b") == "has '?' or '#'; paths are compared without query and fragment");
  CHECK(problemOf("/a b") == "has a byte that no path has as it is; write it percent-encoded");
  CHECK(problemOf("/a|b") == "has '|' that no path has as it is; write it percent-encoded");
  CHECK(problemOf("/a}") == "has '}' without '{'");
  CHECK(problemOf("/{a") == "has '{' without '}'");
  CHECK(problemOf("/{a}{b}") == "has two variables side by side; put text or '/' between them");
  CHECK(problemOf("/{a}/{a}") == "has two variables \"a\"");
  CHECK(problemOf("/{a}/{b}/{c}/{d}/{e}") == "");
  CHECK(problemOf("/{a}/{b}/{c}/{d}/{e}/{f}") == "has more than 5 variables");
  CHECK(problemOf("/{}") ==
        "\"\" is no name of a variable; it begins with a letter and goes on with letters, digits and _");
  CHECK(problemOf("/{1a}") ==
        "\"1a\" is no name of a variable; it begins with a letter and goes on with letters, digits and _");
  CHECK(problemOf("/{sixteen_letters_}") == "");
  CHECK(problemOf("/{seventeen_letters}") == "the name \"seventeen_letters\" of a variable is longer than 16 bytes");
  CHECK(problemOf("/{a=}") == "has nothing behind '=' or '/' in the variable \"a\"");
  CHECK(problemOf("/{a=b/}") == "has nothing behind '=' or '/' in the variable \"a\"");
  CHECK(problemOf("/{a=/b}") == "has an empty segment (\"//\")");
  CHECK(problemOf("/{a=b*}") == "has '*' beside other text; it stands alone between slashes");
  const std::string behind = "has '*', '**' or a variable behind '**'; '**' takes all that comes";
  CHECK(problemOf("/**/*") == behind);
  CHECK(problemOf("/{a=**}/{b}") == behind);
  CHECK(problemOf("/{a=**/*}") == behind);
}

TEST_CASE("a rewrite that is wrong is refused with what is wrong") {
  CHECK(rewritten("/{a}", "x", "") == "has to begin with '/'");
  CHECK(rewritten("/{a}", "/x//y", "") == "has an empty segment (\"//\")");
  CHECK(rewritten("/{a}", "/{b}", "") == "names the variable \"b\", which the template of path_match_policy has not");
  CHECK(rewritten("/{a}", "/{a", "") == "has '{' without '}'");
  CHECK(rewritten("/{a}", "/*", "") == "has \"*\", which stands for nothing in a new path; only text and variables do");
  CHECK(rewritten("/{a}", "/{a=*}", "") ==
        "\"a=*\" is no name of a variable; it begins with a letter and goes on with letters, digits and _");
  CHECK(rewritten("/{a}", "/\\1", "") ==
        "has \"\\\", which stands for nothing in a new path; only text and variables do");
}

TEST_CASE("path templates match what they mean, on random templates and paths") {
  std::mt19937 random(4);
  const auto pick = [&random](const auto& from) { return from[random() % std::size(from)]; };
  const char* const kParts[] = {"/", "/a", "/*", "/**", "/{x}", "/{y=a/*}", "/v{z}", "/{u}.js", ".b", "/{w=**}"};
  const char* const kPieces[] = {"/", "a", "v1", ".js", "/a", "/b", ".b", "*"};
  size_t parsed_templates = 0, matched = 0;

  for (int i = 0; i < 20'000; ++i) {
    std::string text, path = "/";
    for (uint32_t more = 1 + random() % 4; more > 0; --more) text += pick(kParts);
    const auto parsed = PathTemplate::parse(text);
    if (!parsed.ok()) continue;
    ++parsed_templates;
    const Regex regex = *compileRegex(parsed->pattern());
    const TemplateReference reference(text);
    for (int k = 0; k < 20; ++k, path = "/") {
      for (uint32_t more = random() % 7; more > 0; --more) path += pick(kPieces);
      INFO(text << " and " << path);
      const bool expected = reference.matches(path);
      matched += expected;
      if (re2::RE2::FullMatch(path, *regex) != expected) FAIL("differs from its meaning");
      if (const auto only = parsed->onlyPath(); only && (path == *only) != expected) FAIL("is not that path");
      if (const auto prefix = parsed->onlyPrefix(); prefix && path.starts_with(*prefix) != expected) FAIL("no prefix");
    }
  }

  CHECK(parsed_templates > 5'000);
  CHECK(matched > 5'000);
}

}  // namespace sluice::match
