// Instructions of one route lookup and memory of one route, for callgrind:
//
//   route_bench SHAPE ROUTES first|last|absent [LOOKUPS]
//
// does LOOKUPS (default 1000) lookups inside a function of their own, so that
//   valgrind --tool=callgrind --toggle-collect='lookUp*' --callgrind-out-file=/dev/null route_bench prefix 10000 last
// counts them and nothing else ("Collected" / LOOKUPS). Without arguments: the shapes. With `memory SHAPE ROUTES`: heap
// bytes of the table, for each route.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "source/route/route_shapes.h"
#include "source/route/table.h"

using namespace sluice::route;

namespace {

__attribute__((noinline)) size_t lookUp(const Table& table, TestRequest& request, int lookups) {
  size_t found = 0;
  for (int i = 0; i < lookups; ++i) found += table.match(*request, 0) ? 1 : 0;
  return found;
}

int usage(const std::vector<RouteShape>& shapes) {
  std::fprintf(
      stderr,
      "usage: route_bench SHAPE ROUTES first|last|absent [LOOKUPS]\n       route_bench memory SHAPE ROUTES\nshapes:");
  for (const RouteShape& shape : shapes) std::fprintf(stderr, " %s", shape.name.c_str());
  std::fprintf(stderr, "\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<RouteShape> shapes = routeShapes();
  if (argc < 4) return usage(shapes);
  const bool memory = std::strcmp(argv[1], "memory") == 0;
  const char* const name = argv[memory ? 2 : 1];
  const int routes = std::atoi(argv[memory ? 3 : 2]);
  for (const RouteShape& shape : shapes) {
    if (shape.name != name) continue;
    TableSpec spec = shape.table(routes);
    const size_t before = mallinfo2().uordblks;
    const auto built = Table::build(spec);  // copies: what the spec holds is not what the table costs
    if (!built.ok()) return 1;
    if (memory) {
      std::printf("%s: %.0f bytes a route\n", name, static_cast<double>(mallinfo2().uordblks - before) / routes);
      return 0;
    }
    const int at = std::strcmp(argv[3], "first") == 0 ? 0 : std::strcmp(argv[3], "last") == 0 ? routes - 1 : 99'999;
    const int lookups = argc > 4 ? std::atoi(argv[4]) : 1000;
    TestRequest request = shape.request(at);
    (*built)->match(*request, 0);  // the first one builds RE2's automatons
    std::printf("%zu of %d found\n", lookUp(**built, request, lookups), lookups);
    return 0;
  }
  return usage(shapes);
}
