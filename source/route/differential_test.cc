// The table against the linear reference, on a million random pairs.
#include <catch2/catch.hpp>

#include <random>

#include "source/route/linear_reference.h"
#include "source/route/random_tables.h"
#include "source/route/table.h"

namespace sluice::route {
namespace {

struct SeededChoices {
  explicit SeededChoices(uint32_t seed) : generator(seed) {}
  uint32_t below(uint32_t n) { return generator() % n; }
  std::mt19937 generator;
};

// What a million pairs exercised.
struct Shares {
  uint64_t pairs = 0;
  uint64_t three_or_more = 0;           // at least three routes match
  uint64_t regex_between_prefixes = 0;  // a matching regex between two matching prefixes
  uint64_t header_only = 0;             // two matching routes with the same path that differ in conditions
  uint64_t ignoring_case = 0;           // a matching route that ignores case
  uint64_t absent = 0;                  // no route
  uint64_t by_template = 0;             // a matching route with a template
  uint64_t by_stream = 0;               // a matching route that asks for more than the head
  uint64_t by_cookie = 0;               // a matching route that asks for a cookie
};

void count(const LinearReference::Result& result, const TableSpec& spec, Shares& shares) {
  ++shares.pairs;
  shares.three_or_more += result.all.size() >= 3;
  shares.absent += result.all.empty();
  if (result.virtual_host < 0) return;
  const std::vector<RouteSpec>& routes = spec.virtual_hosts[static_cast<size_t>(result.virtual_host)].routes;
  bool prefix = false, regex_after_prefix = false, between = false, ignoring = false, same_path = false;
  bool by_template = false, by_stream = false, by_cookie = false;
  for (const int index : result.all) {
    const RouteSpec& route = routes[static_cast<size_t>(index)];
    if (route.path_kind == PathKind::kRegex) {
      regex_after_prefix = regex_after_prefix || prefix;
    } else {
      between = between || regex_after_prefix;
      prefix = true;
    }
    ignoring = ignoring || !route.case_sensitive;
    by_template = by_template || !route.name.empty();
    by_stream = by_stream || route.conditions.stream != nullptr;
    by_cookie = by_cookie || !route.conditions.cookies.empty();
    for (const int other : result.all) {
      const RouteSpec& twin = routes[static_cast<size_t>(other)];
      same_path = same_path || (other != index && twin.path == route.path && twin.path_kind == route.path_kind &&
                                twin.case_sensitive == route.case_sensitive);
    }
  }
  shares.regex_between_prefixes += between;
  shares.ignoring_case += ignoring;
  shares.header_only += same_path;
  shares.by_template += by_template;
  shares.by_stream += by_stream;
  shares.by_cookie += by_cookie;
}

std::string describe(const http::RequestHeaders& request) {
  std::string out = std::string(request.method) + " " + std::string(request.authority) + std::string(request.path);
  for (const http::Field& field : request) out += " " + std::string(field.name) + "=" + std::string(field.value);
  return out;
}

}  // namespace

TEST_CASE("the table finds the route that a linear search finds, a million times") {
  constexpr uint32_t kTables = 2500;
  constexpr uint32_t kRequests = 400;
  SeededChoices choices(20240);
  RandomTables<SeededChoices> random(choices);
  Shares shares;
  uint64_t wrong = 0;

  for (uint32_t t = 0; t < kTables; ++t) {
    const TableSpec spec = random.table(t % 8 == 0 ? 8 : 120);
    const auto table = Table::build(spec);
    REQUIRE(table.ok());
    const LinearReference reference(spec);
    for (uint32_t r = 0; r < kRequests; ++r) {
      TestRequest request = random.request(spec);
      const uint64_t chance = random.random();
      const LinearReference::Result expected = reference.match(*request, chance, request.toldInfo());
      const Match found = matchOf(**table, request, chance);
      count(expected, spec, shares);

      const auto hosts = (*table)->virtualHosts();
      const bool same_host = expected.virtual_host < 0
                                 ? found.virtual_host == nullptr
                                 : found.virtual_host == &hosts[static_cast<size_t>(expected.virtual_host)];
      const bool same_route = expected.route < 0
                                  ? found.route == nullptr
                                  : found.route == &found.virtual_host->routes[static_cast<size_t>(expected.route)];
      if (same_host && same_route) continue;
      if (++wrong == 1) {
        const ptrdiff_t got = found.route == nullptr ? -1 : found.route - found.virtual_host->routes.data();
        UNSCOPED_INFO("table " << t << ": " << describe(*request) << ": linear " << expected.virtual_host << "/"
                               << expected.route << ", index " << got);
      }
    }
  }

  CHECK(wrong == 0);
  CHECK(shares.pairs == 1'000'000);
  CHECK(shares.three_or_more * 2 >= shares.pairs);
  CHECK(shares.regex_between_prefixes * 10 >= shares.pairs);
  CHECK(shares.header_only * 10 >= shares.pairs);
  CHECK(shares.ignoring_case * 10 >= shares.pairs);
  CHECK(shares.absent * 100 >= shares.pairs);
  CHECK(shares.by_template * 10 >= shares.pairs);
  CHECK(shares.by_stream * 100 >= shares.pairs);
  CHECK(shares.by_cookie * 100 >= shares.pairs);
  WARN("of " << shares.pairs << " pairs: three or more match " << shares.three_or_more << ", regex between prefixes "
             << shares.regex_between_prefixes << ", header-only differences " << shares.header_only
             << ", ignoring case " << shares.ignoring_case << ", absent " << shares.absent << ", template "
             << shares.by_template << ", stream " << shares.by_stream << ", cookie " << shares.by_cookie);
}

}  // namespace sluice::route
