// The cost of a lookup does not depend on how many routes there are, nor on where the matching one stands. Counted in
// steps of the index (probes, conditions, eight bytes hashed), which do not vary between runs.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "source/route/path_index.h"
#include "source/route/route_shapes.h"
#include "source/route/table.h"
#include "source/route/test_request.h"

namespace sluice::route {
namespace {

constexpr int kSizes[] = {10, 1'000, 10'000};

uint64_t stepsOf(const Table& table, TestRequest request, int expected) {
  CountedSteps steps;
  const Match match = table.match(*request, 0, steps, request.toldInfo());
  const ptrdiff_t found = match.route == nullptr ? -1 : match.route - match.virtual_host->routes.data();
  CHECK(found == expected);
  return steps.count;
}

std::shared_ptr<const Table> build(TableSpec spec) {
  auto table = Table::build(std::move(spec));
  REQUIRE(table.ok());
  return *table;
}

}  // namespace

TEST_CASE("a lookup costs the same among 10, 1,000 and 10,000 routes, first, last and absent") {
  for (const RouteShape& shape : routeShapes()) {
    std::vector<uint64_t> found, absent;
    for (const int size : kSizes) {
      const auto table = build(shape.table(size));
      for (const int at : {0, size / 2, size - 1}) found.push_back(stepsOf(*table, shape.request(at), at));
      absent.push_back(stepsOf(*table, shape.request(99'999), -1));
    }
    INFO(shape.name << ": " << Catch::rangeToString(found) << ", absent " << Catch::rangeToString(absent));
    // A probe of a hash table may meet another entry first; nothing else varies.
    const auto [least, most] = std::minmax_element(found.begin(), found.end());
    CHECK(*most <= *least + 5);
    CHECK(*std::max_element(absent.begin(), absent.end()) <= *most + 5);
    CHECK(*most < 40);
  }
}

TEST_CASE("a lookup among 10,000 routes of all kinds costs what its own route asks") {
  const RouteShape shape{"all",
                         [](int i) {
                           const std::string path = "/svc" + fiveDigits(i);
                           RouteSpec out = i % 3 == 0   ? routeByTemplate(path + "/{id}/**")
                                           : i % 3 == 1 ? routeTo(PathKind::kPrefix, path + "/")
                                                        : routeByTemplate(path + "/v{version}/{file}.json");
                           if (i % 5 == 0) {
                             CookieMatcher cookie{.name = "a"};
                             cookie.string.text = "1";
                             out.conditions.cookies.push_back(std::move(cookie));
                           }
                           if (i % 7 == 0) out.conditions.grpc = true;
                           StreamConditions stream;
                           if (i % 2 == 0) stream.fraction = runtime::Fraction{50, 100};
                           if (i % 4 == 0) stream.certificate_presented = false;
                           if (i % 11 == 0) {
                             MetadataMatcher metadata{.filter = "f", .path = {"k"}};
                             metadata.value.kind = match::MetadataValueMatcher::Kind::kPresent;
                             stream.metadata.push_back(std::move(metadata));
                           }
                           out.conditions.stream = std::make_shared<const StreamConditions>(std::move(stream));
                           return out;
                         },
                         [](int i) {
                           TestRequest out("/svc" + fiveDigits(i) + "/v1/a.json", "example.com",
                                           {{"cookie", "b=2; a=1"}, {"content-type", "application/grpc"}});
                           out.info().metadata().set("f", "k", {true});
                           return out;
                         }};
  std::vector<uint64_t> found;
  for (const int size : kSizes) {
    const auto table = build(shape.table(size));
    for (int at = 0; at < size; at += size / 10) found.push_back(stepsOf(*table, shape.request(at), at));
    CHECK(stepsOf(*table, shape.request(99'999), -1) < 40);
  }

  const auto [least, most] = std::minmax_element(found.begin(), found.end());
  INFO(Catch::rangeToString(found));
  CHECK(*most <= *least + 8);
  CHECK(*most < 40);
}

TEST_CASE("nested prefixes cost a probe for each length, not for each route") {
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.domains = {"*"};
  const std::string path = "/" + std::string(500, 'a');
  for (size_t i = 500; i > 0; --i) host.routes.push_back(routeTo(PathKind::kPrefix, path.substr(0, i)));
  const auto table = build(std::move(spec));

  CHECK(stepsOf(*table, TestRequest(path.substr(0, 10)), 490) < 40);
  CHECK(stepsOf(*table, TestRequest(path + path), 0) < 500 * 5);
}

TEST_CASE("conditional routes after the first unconditional one are never asked") {
  TableSpec spec;
  VirtualHostSpec& host = spec.virtual_hosts.emplace_back();
  host.domains = {"*"};
  host.routes.push_back(routeTo(PathKind::kPrefix, "/"));
  for (int i = 0; i < 1000; ++i) {
    host.routes.push_back(withHeader(routeTo(PathKind::kPrefix, i % 2 == 0 ? "/" : "/a"), "x-a", "1"));
    host.routes.back().conditions.headers[0].invert = true;  // no hash finds these
  }
  const auto table = build(std::move(spec));

  CHECK(stepsOf(*table, TestRequest("/a/b"), 0) < 20);
}

}  // namespace sluice::route
