// The cost of a lookup does not depend on how many routes there are, nor on where the matching one stands. Counted in
// steps of the index (probes, conditions, eight bytes hashed), which do not vary between runs.
#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "source/route/table.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

constexpr int kSizes[] = {10, 1'000, 10'000};

std::string number(int i) {
  std::string digits = std::to_string(i);
  return std::string(5 - digits.size(), '0') + digits;
}

RouteSpec route(PathKind kind, std::string path) {
  RouteSpec out;
  out.path_kind = kind;
  out.path = std::move(path);
  if (kind == PathKind::kRegex) out.regex = *compileRegex(out.path);
  out.action = DirectResponseSpec{};
  return out;
}

struct Shape {
  std::string name;
  std::function<RouteSpec(int)> route;
  std::function<TestRequest(int)> request;  // matches route(i) only
};

Shape byPath(std::string name, PathKind kind, std::string before, std::string after, std::string rest) {
  return {name, [=](int i) { return route(kind, before + number(i) + after); },
          [=](int i) { return TestRequest(before + number(i) + rest); }};
}

RouteSpec withHeader(RouteSpec spec, std::string name, std::string value) {
  HeaderMatcher header;
  header.name = std::move(name);
  header.kind = HeaderMatcher::Kind::kString;
  header.string.text = std::move(value);
  spec.conditions.headers.push_back(std::move(header));
  return spec;
}

std::vector<Shape> shapes() {
  Shape ignoring_case = byPath("prefix that ignores case", PathKind::kPrefix, "/Svc", "/", "/ITEMS");
  ignoring_case.route = [](int i) {
    RouteSpec spec = route(PathKind::kPrefix, "/Svc" + number(i) + "/");
    spec.case_sensitive = false;
    return spec;
  };
  return {
      byPath("exact", PathKind::kExact, "/svc", "/items", "/items?page=2"),
      byPath("prefix", PathKind::kPrefix, "/svc", "/", "/items/7?page=2"),
      byPath("path-separated prefix", PathKind::kSeparatedPrefix, "/svc", "", "/items/7?page=2"),
      ignoring_case,
      byPath("regex with a literal beginning", PathKind::kRegex, "/svc", "/[a-z]+", "/items"),
      {"regex without one", [](int i) { return route(PathKind::kRegex, "/[a-z]+/" + number(i) + "/[a-z]+"); },
       [](int i) { return TestRequest("/svc/" + number(i) + "/items"); }},
      {"header on one prefix", [](int i) { return withHeader(route(PathKind::kPrefix, "/"), "x-tenant", number(i)); },
       [](int i) {
         return TestRequest("/items", "example.com", {{"x-tenant", number(i)}});
       }},
      {"method and header on one prefix",
       [](int i) {
         return withHeader(withHeader(route(PathKind::kPrefix, "/"), ":method", i % 2 == 0 ? "GET" : "POST"),
                           "x-tenant", number(i));
       },
       [](int i) {
         return TestRequest("/items", "example.com",
                            {{":method", i % 2 == 0 ? "GET" : "POST"}, {"x-tenant", number(i)}});
       }},
  };
}

uint64_t stepsOf(const Table& table, TestRequest request, int expected) {
  CountedSteps steps;
  const Match match = table.match(*request, 0, steps);
  const ptrdiff_t found = match.route == nullptr ? -1 : match.route - match.virtual_host->routes.data();
  CHECK(found == expected);
  return steps.count;
}

}  // namespace

TEST_CASE("a lookup costs the same among 10, 1,000 and 10,000 routes, first, last and absent") {
  for (const Shape& shape : shapes()) {
    std::vector<uint64_t> found, absent;
    for (const int size : kSizes) {
      TableSpec spec;
      VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
      host.domains = {"*"};
      for (int i = 0; i < size; ++i) host.routes.push_back(shape.route(i));
      const auto table = Table::build(std::move(spec));
      REQUIRE(table.ok());
      for (const int at : {0, size / 2, size - 1}) found.push_back(stepsOf(**table, shape.request(at), at));
      absent.push_back(stepsOf(**table, shape.request(99'999), -1));
    }
    INFO(shape.name << ": " << Catch::rangeToString(found) << ", absent " << Catch::rangeToString(absent));
    // A probe of a hash table may meet another entry first; nothing else varies.
    const auto [least, most] = std::minmax_element(found.begin(), found.end());
    CHECK(*most <= *least + 4);
    CHECK(*std::max_element(absent.begin(), absent.end()) <= *most + 4);
    CHECK(*most < 40);
  }
}

TEST_CASE("nested prefixes cost a probe for each length, not for each route") {
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.domains = {"*"};
  std::string path = "/";
  for (int i = 0; i < 500; ++i) path += 'a';
  for (int i = 500; i > 0; --i) host.routes.push_back(route(PathKind::kPrefix, path.substr(0, i)));
  const auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());

  CHECK(stepsOf(**table, TestRequest(path.substr(0, 10)), 490) < 40);
  CHECK(stepsOf(**table, TestRequest(path + path), 0) < 500 * 5);
}

}  // namespace sluice::route
