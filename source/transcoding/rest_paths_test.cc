#include "source/transcoding/rest_paths.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_join.h"

namespace sluice::transcoding {
namespace {

std::string parsed(const std::string& text) {
  const auto path = RestPath::parse(text);
  if (!path.ok()) return std::string(path.status().message());
  std::string out = absl::StrJoin(path->segments, " ");
  if (!path->verb.empty()) out += " :" + path->verb;
  for (const PathVariable& variable : path->variables) {
    out += " {" + absl::StrJoin(variable.fields, ".") + " " + std::to_string(variable.begin) + "-" +
           std::to_string(variable.end) + (variable.rest ? " rest" : "") + "}";
  }
  return out;
}

TEST_CASE("a template is segments, variables and a verb") {
  CHECK(parsed("/") == "");
  CHECK(parsed("/v1/shelves") == "v1 shelves");
  CHECK(parsed("/v1/{id}") == "v1 * {id 1-2}");
  CHECK(parsed("/v1/{a.b=shelves/*/x}/y:go") == "v1 shelves * x y :go {a.b 1-4}");
  CHECK(parsed("/v1/{name=a/**}") == "v1 a ** {name 1-3 rest}");
  CHECK(parsed("/**:go") == "** :go");
}

TEST_CASE("what is wrong with a template is said") {
  CHECK_THAT(parsed("v1"), Catch::Contains("does not begin with '/'"));
  CHECK_THAT(parsed("/v1//a"), Catch::Contains("an empty segment"));
  CHECK_THAT(parsed("/v1/"), Catch::Contains("an empty segment"));
  CHECK_THAT(parsed("/a*b"), Catch::Contains("'*' within the segment \"a*b\""));
  CHECK_THAT(parsed("/**/a"), Catch::Contains("something behind '**'"));
  CHECK_THAT(parsed("/{a=**}/{b}"), Catch::Contains("something behind '**'"));
  CHECK_THAT(parsed("/{a={b}}"), Catch::Contains("a variable inside another one"));
  CHECK_THAT(parsed("/{}"), Catch::Contains("without the name of a field"));
  CHECK_THAT(parsed("/{a"), Catch::Contains("not closed"));
  CHECK_THAT(parsed("/a:"), Catch::Contains("a verb that is not text"));
  CHECK_THAT(parsed("/a:b/c"), Catch::Contains("a verb that is not text"));
  CHECK_THAT(parsed("/{a}b"), Catch::Contains("has 'b' where it should end"));
}

struct Table {
  explicit Table(Unescape unescape = Unescape::kExceptReserved, bool unknown_verbs = false)
      : paths(unescape, unknown_verbs) {}
  Table& add(const std::string& method, const std::string& path) {
    all.push_back(path);
    REQUIRE_FALSE(paths.add(method, *RestPath::parse(path), all.size() - 1));
    return *this;
  }
  // The template, and the values of its variables.
  std::string find(const std::string& method, const std::string& path) const {
    const auto found = paths.find(method, path);
    if (!found) return "none";
    std::string out = all[found->index];
    for (const auto& value : found->values) out += " " + absl::StrJoin(*value.fields, ".") + "=" + value.value;
    return out;
  }
  RestPaths paths;
  std::vector<std::string> all;
};

TEST_CASE("text goes before one segment goes before the rest") {
  Table table;
  table.add("GET", "/a/b").add("GET", "/a/{x}").add("GET", "/a/{x}/c").add("GET", "/{y=**}").add("*", "/any");
  CHECK(table.find("GET", "/a/b") == "/a/b");
  CHECK(table.find("GET", "/a/z") == "/a/{x} x=z");
  CHECK(table.find("GET", "/a/b/c") == "/a/{x}/c x=b");
  CHECK(table.find("GET", "/a/b/d") == "/{y=**} y=a/b/d");
  CHECK(table.find("GET", "/") == "/{y=**} y=");
  CHECK(table.find("POST", "/a/b") == "none");
  CHECK(table.find("POST", "/any") == "/any");
  CHECK(table.find("GET", "/a/") == "/{y=**} y=a/");
  CHECK(table.find("GET", "") == "none");
}

TEST_CASE("a verb is one if a template has it") {
  Table table;
  table.add("GET", "/{x}").add("GET", "/{x}:go");
  CHECK(table.find("GET", "/a:go") == "/{x}:go x=a");
  CHECK(table.find("GET", "/a:stop") == "/{x} x=a:stop");
  CHECK(table.find("GET", "/a:b:go") == "/{x}:go x=a:b");
  Table strict(Unescape::kExceptReserved, true);
  strict.add("GET", "/{x}");
  CHECK(strict.find("GET", "/a:stop") == "none");
}

TEST_CASE("values are decoded as is asked") {
  const auto found = [](Unescape unescape) {
    Table table(unescape);
    table.add("GET", "/one/{x}").add("GET", "/many/{x=**}");
    return table.find("GET", "/one/a%2Fb%20c") + "; " + table.find("GET", "/many/a%2Fb%20c%3A");
  };
  CHECK(found(Unescape::kExceptReserved) == "/one/{x} x=a/b c; /many/{x=**} x=a%2Fb c%3A");
  CHECK(found(Unescape::kExceptSlash) == "/one/{x} x=a/b c; /many/{x=**} x=a%2Fb c:");
  CHECK(found(Unescape::kAll) == "/one/{x} x=a/b c; /many/{x=**} x=a/b c:");
}

TEST_CASE("who takes the same requests is told") {
  RestPaths paths;
  CHECK_FALSE(paths.add("GET", *RestPath::parse("/a/{x}"), 3));
  CHECK(paths.add("GET", *RestPath::parse("/a/{y}"), 4) == 3);
  CHECK_FALSE(paths.add("POST", *RestPath::parse("/a/{y}"), 5));
}

}  // namespace
}  // namespace sluice::transcoding
